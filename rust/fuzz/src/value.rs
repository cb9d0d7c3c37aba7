//! Arbitrary values of schemas and instances.

use arbitrary::{Arbitrary, Unstructured};
use sky_rs_core::schema::value::{List, Object, Text, Value, View};

#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits.
    Large,
    Float(f64),
    Text(String),
    List(Vec<Plain>),
    Object(Vec<(Plain, Plain)>),
    Other,
}

/// What schemas and their instances are made of; a fuzzer would be long in finding it.
const WORDS: &str = "type properties required items enum const pattern minimum maximum exclusiveMinimum exclusiveMaximum \
    multipleOf minLength maxLength minItems maxItems minProperties maxProperties uniqueItems description \
    format patternProperties additionalProperties anyOf oneOf allOf not if then else dependencies \
    propertyNames case_insensitive_enum case_sensitive_enum $schema $ref $id string object boolean integer \
    array number null a b A ^a [a-z]+$ a{2,} https://json-schema.org/draft/2020-12/schema default title \
    additionalItems contains é";

impl Plain {
    fn text(source: &mut Unstructured<'_>) -> arbitrary::Result<String> {
        if source.ratio(1, 8)? {
            return String::arbitrary(source);
        }
        let word = source.int_in_range(0..=WORDS.split(' ').count() - 1)?;
        Ok(WORDS.split(' ').nth(word).unwrap_or_default().to_owned())
    }

    fn at_depth(source: &mut Unstructured<'_>, depth: u32) -> arbitrary::Result<Self> {
        let kinds = if depth == 0 { 7 } else { 13 };
        Ok(match source.int_in_range(0..=kinds - 1)? {
            0 => Self::Null,
            1 => Self::Bool(bool::arbitrary(source)?),
            2 => {
                Self::Int(if source.ratio(3, 4)? { i64::from(i8::arbitrary(source)?) } else { i64::arbitrary(source)? })
            }
            3 if source.ratio(1, 8)? => Self::Large,
            3 => Self::Float(f64::arbitrary(source)?),
            4 if source.ratio(1, 16)? => Self::Other,
            4..=6 => Self::Text(Self::text(source)?),
            7..=9 => Self::object(source, depth)?,
            10 => {
                // As deep as can be.
                let levels = source.int_in_range(0..=60)?;
                let inner = Self::at_depth(source, 0)?;
                (0..levels).fold(inner, |inner, _| Self::Object(vec![(Self::Text("not".to_owned()), inner)]))
            }
            _ => {
                let count = source.int_in_range(0..=4)?;
                Self::List((0..count).map(|_| Self::at_depth(source, depth - 1)).collect::<arbitrary::Result<_>>()?)
            }
        })
    }

    /// An object whose keys are all different, as a dictionary's are.
    fn object(source: &mut Unstructured<'_>, depth: u32) -> arbitrary::Result<Self> {
        let mut entries: Vec<(Self, Self)> = Vec::new();
        for _ in 0..source.int_in_range(0..=5)? {
            let key = if source.ratio(1, 64)? { Self::at_depth(source, 0)? } else { Self::Text(Self::text(source)?) };
            if entries.iter().all(|(known, _)| *known != key) {
                entries.push((key, Self::at_depth(source, depth.saturating_sub(1))?));
            }
        }
        Ok(Self::Object(entries))
    }
}

impl<'a> Arbitrary<'a> for Plain {
    fn arbitrary(source: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Self::at_depth(source, 5)
    }
}

#[derive(Clone, Copy)]
pub struct Characters<'a>(pub &'a str);

impl Text for Characters<'_> {
    fn ascii<'a>(self) -> Option<&'a [u8]>
    where
        Self: 'a,
    {
        self.0.is_ascii().then_some(self.0.as_bytes())
    }

    fn length(self) -> usize {
        self.0.chars().count()
    }

    fn is_same(self, other: Self) -> bool {
        self.0 == other.0
    }
}

#[derive(Clone, Copy)]
pub struct Items<'a>(&'a [Plain]);

impl<'a> List<&'a Plain> for Items<'a> {
    fn items(self) -> impl ExactSizeIterator<Item = &'a Plain> {
        self.0.iter()
    }
}

#[derive(Clone, Copy)]
pub struct Entries<'a>(&'a [(Plain, Plain)]);

impl<'a> Object<&'a Plain> for Entries<'a> {
    fn length(self) -> usize {
        self.0.len()
    }

    fn entries(self) -> impl Iterator<Item = (&'a Plain, &'a Plain)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    fn get(self, key: Characters<'a>) -> Option<&'a Plain> {
        self.0.iter().find(|(known, _)| matches!(known, Plain::Text(text) if text == key.0)).map(|(_, value)| value)
    }
}

impl<'a> Value for &'a Plain {
    type Text = Characters<'a>;
    type List = Items<'a>;
    type Object = Entries<'a>;

    fn view(self) -> View<Self> {
        match self {
            Plain::Null => View::Null,
            Plain::Bool(value) => View::Bool(*value),
            Plain::Int(_) | Plain::Large => View::Int,
            Plain::Float(value) => View::Float(*value),
            Plain::Text(text) => View::Text(Characters(text)),
            Plain::List(items) => View::List(Items(items)),
            Plain::Object(entries) => View::Object(Entries(entries)),
            Plain::Other => View::Other,
        }
    }

    fn integer(self) -> Option<i64> {
        if let Plain::Int(value) = self { Some(*value) } else { None }
    }
}

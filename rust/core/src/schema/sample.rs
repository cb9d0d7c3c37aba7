//! Plain values for tests.

use super::value::{List, Object, Text, Value, View};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sample {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits.
    Large,
    Float(f64),
    Text(String),
    List(Vec<Sample>),
    Object(Vec<(Sample, Sample)>),
    Other,
}

impl Text for &str {
    fn ascii<'a>(self) -> Option<&'a [u8]>
    where
        Self: 'a,
    {
        self.is_ascii().then_some(self.as_bytes())
    }

    fn length(self) -> usize {
        self.chars().count()
    }

    fn is_same(self, other: Self) -> bool {
        self == other
    }
}

impl<'a> List<&'a Sample> for &'a [Sample] {
    fn items(self) -> impl ExactSizeIterator<Item = &'a Sample> {
        self.iter()
    }
}

impl<'a> Object<&'a Sample> for &'a [(Sample, Sample)] {
    fn length(self) -> usize {
        self.len()
    }

    fn entries(self) -> impl Iterator<Item = (&'a Sample, &'a Sample)> {
        self.iter().map(|(key, value)| (key, value))
    }

    fn get(self, key: &'a str) -> Option<&'a Sample> {
        self.iter().find(|(known, _)| *known == Sample::Text(key.into())).map(|(_, value)| value)
    }
}

impl<'a> Value for &'a Sample {
    type Text = &'a str;
    type List = &'a [Sample];
    type Object = &'a [(Sample, Sample)];

    fn view(self) -> View<Self> {
        match self {
            Sample::Null => View::Null,
            Sample::Bool(value) => View::Bool(*value),
            Sample::Int(_) | Sample::Large => View::Int,
            Sample::Float(value) => View::Float(*value),
            Sample::Text(text) => View::Text(text.as_str()),
            Sample::List(items) => View::List(items.as_slice()),
            Sample::Object(entries) => View::Object(entries.as_slice()),
            Sample::Other => View::Other,
        }
    }

    fn integer(self) -> Option<i64> {
        if let Sample::Int(value) = self { Some(*value) } else { None }
    }
}

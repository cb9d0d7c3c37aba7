//! Recorder of the events of a loader.

use sky_rs_core::yaml_dump::{Document, Stream, Text};
use sky_rs_core::yaml_scan::load::{self, Builder};
use sky_rs_core::{Decline, NativeResult};

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Null,
    Boolean(bool),
    Integer(i64),
    /// By its bits: a zero has a sign.
    Float(u64),
    Text(Vec<u32>),
    Begin {
        mapping: bool,
    },
    End,
}

#[derive(Default)]
struct Events(Vec<Event>);

impl<T: Copy + Into<u32>> Builder<T> for Events {
    fn null(&mut self) -> NativeResult<()> {
        self.0.push(Event::Null);
        Ok(())
    }

    fn boolean(&mut self, value: bool) -> NativeResult<()> {
        self.0.push(Event::Boolean(value));
        Ok(())
    }

    fn integer(&mut self, value: i64) -> NativeResult<()> {
        self.0.push(Event::Integer(value));
        Ok(())
    }

    fn float(&mut self, value: f64) -> NativeResult<()> {
        self.0.push(Event::Float(value.to_bits()));
        Ok(())
    }

    fn text(&mut self, value: &[T]) -> NativeResult<()> {
        self.0.push(Event::Text(value.iter().map(|unit| (*unit).into()).collect()));
        Ok(())
    }

    fn wide_text(&mut self, value: &[u32]) -> NativeResult<()> {
        self.0.push(Event::Text(value.to_vec()));
        Ok(())
    }

    fn begin(&mut self, mapping: bool) -> NativeResult<()> {
        self.0.push(Event::Begin { mapping });
        Ok(())
    }

    fn end(&mut self) -> NativeResult<()> {
        self.0.push(Event::End);
        Ok(())
    }

    // What is shared isn't written again here.

    fn anchor(&mut self, _: &[T]) -> NativeResult<()> {
        Err(Decline::Value)
    }

    fn alias(&mut self, _: &[T]) -> NativeResult<()> {
        Err(Decline::Value)
    }

    fn merge(&mut self) -> NativeResult<()> {
        Err(Decline::Value)
    }

    fn end_document(&mut self) {}
}

/// What a text holds, or `None` if that is left to the original.
pub fn loaded<T: sky_rs_core::yaml_scan::Unit>(text: &[T]) -> Option<Vec<Event>> {
    let mut events = Events::default();
    load::load(text, &mut events).ok()?;
    Some(events.0)
}

/// The documents of what was loaded, each by the place after its last event.
///
/// # Panics
/// If a collection ends that didn't begin, or a mapping has a key without a value.
pub fn documents(events: &[Event]) -> Vec<&[Event]> {
    let mut open: Vec<(bool, usize)> = Vec::new();
    let mut found = Vec::new();
    let mut start = 0;
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Begin { mapping } => {
                open.push((*mapping, 0));
                continue;
            }
            Event::End => {
                let (mapping, items) = open.pop().expect("a collection began");
                assert!(!mapping || items % 2 == 0, "a key has a value");
            }
            _ => {}
        }
        if let Some((_, items)) = open.last_mut() {
            *items += 1;
        } else {
            found.push(&events[start..=at]);
            start = at + 1;
        }
    }
    assert!(open.is_empty(), "all collections ended");
    found
}

/// A document as the dumper writes it.
///
/// # Panics
/// If the dumper writes something beyond ASCII.
pub fn dumped(events: &[Event]) -> String {
    let mut document = Document::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Null => document.null(),
            Event::Boolean(value) => document.boolean(*value),
            Event::Integer(value) => document.integer(*value),
            Event::Float(bits) => document.float(repr(f64::from_bits(*bits)).as_bytes()),
            Event::Text(text) => document.text(Text::Ucs4(text)),
            Event::Begin { mapping } => {
                let items = children(&events[at..]);
                if *mapping {
                    document.mapping(items / 2, None);
                } else {
                    document.sequence(items, None);
                }
            }
            Event::End => {}
        }
    }
    let mut stream = Stream::new();
    stream.document(&document);
    String::from_utf8(stream.finish()).expect("what is written is ASCII")
}

/// How many nodes stand in the collection that begins here.
fn children(events: &[Event]) -> usize {
    let (mut depth, mut count) = (0, 0);
    for event in events {
        match event {
            Event::Begin { .. } => {
                count += usize::from(depth == 1);
                depth += 1;
            }
            Event::End => depth -= 1,
            _ => count += usize::from(depth == 1),
        }
        if depth == 0 {
            break;
        }
    }
    count
}

/// A float as Python's `repr` has it, as far as the dumper cares.
fn repr(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = value.abs();
    if value != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').expect("there is an exponent");
        let exponent: i32 = exponent.parse().expect("it is a number");
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{value:?}")
}

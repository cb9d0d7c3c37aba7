//! Interface of the values that the walk reads: schemas and instances, whoever keeps them.

/// A text of which the walk asks little.
pub trait Text: Copy {
    /// The bytes, if all characters are ASCII.
    fn ascii<'a>(self) -> Option<&'a [u8]>
    where
        Self: 'a;

    /// The number of code points.
    fn length(self) -> usize;

    /// Whether both have the same code points.
    fn is_same(self, other: Self) -> bool;
}

/// A list.
pub trait List<V>: Copy {
    fn items(self) -> impl ExactSizeIterator<Item = V>;
}

/// A mapping.
pub trait Object<V: Value>: Copy {
    fn length(self) -> usize;

    /// Keys and values.
    fn entries(self) -> impl Iterator<Item = (V, V)>;

    /// The value under a key; all keys must be plain texts.
    fn get(self, key: V::Text) -> Option<V>;
}

/// A value of a schema or an instance.
pub trait Value: Copy {
    type Text: Text;
    type List: List<Self>;
    type Object: Object<Self>;

    /// What the value is, by its exact type.
    fn view(self) -> View<Self>;

    /// The number behind a `View::Int` if it has at most 64 bits.
    fn integer(self) -> Option<i64>;
}

/// What a value is.
#[derive(Clone, Copy)]
pub enum View<V: Value> {
    Null,
    Bool(bool),
    /// An integer of any size: see `Value::integer`.
    Int,
    Float(f64),
    Text(V::Text),
    List(V::List),
    Object(V::Object),
    /// Anything else, such as instances of subclasses.
    Other,
}

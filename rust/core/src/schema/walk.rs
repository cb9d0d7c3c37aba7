//! Validator: the walk through a schema and an instance.

use std::cmp::Ordering;

use super::equality::{equal, unique};
use super::number::Number;
use super::pattern::Patterns;
use super::printable::printable;
use super::value::{List as _, Object as _, Text as _, Value, View};
use super::{MAX_DEPTH, Undecided};

/// Whether an instance surely is valid under a schema.
pub fn is_valid<V: Value>(instance: V, schema: V, patterns: &mut Patterns) -> bool {
    let mut walk = Walk { patterns, depth: 0, alternatives: 0, draft: Draft::SkyPilot };
    let View::Object(schema) = schema.view() else { return false };
    walk.object_schema(instance, schema) == Ok(true)
}

/// Valid or not; both must be certain, and so must be that nothing was raised on the way.
type Verdict = Result<bool, Undecided>;

struct Walk<'a> {
    patterns: &'a mut Patterns,
    depth: u32,
    /// How many schemas above are tried as one of several. Within, the original goes on after
    /// an error, so that what may raise must be looked for; outside, an error ends it all.
    alternatives: u32,
    draft: Draft,
}

/// The class of validators that is at work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Draft {
    /// Draft 7 with SkyPilot's keywords; at the root, whatever that says.
    SkyPilot,
    /// Draft 2020-12, which doesn't have them: within subschemas that name it.
    Latest,
}

const LATEST: &[u8] = b"https://json-schema.org/draft/2020-12/schema";

/// The keywords that share the keys of an object between them.
struct Members<V: Value> {
    properties: Option<V>,
    patterns: Option<V>,
    additional: Option<V>,
}

/// The keywords that belong to `if`.
struct Condition<V: Value> {
    test: Option<V>,
    then: Option<V>,
    otherwise: Option<V>,
}

/// Looking up a key must not run Python code.
fn plain_keys<V: Value>(object: V::Object) -> Result<(), Undecided> {
    if object.entries().all(|(key, _)| matches!(key.view(), View::Text(_))) { Ok(()) } else { Err(Undecided) }
}

fn object<V: Value>(value: V) -> Result<V::Object, Undecided> {
    if let View::Object(object) = value.view() { Ok(object) } else { Err(Undecided) }
}

fn list<V: Value>(value: V) -> Result<V::List, Undecided> {
    if let View::List(list) = value.view() { Ok(list) } else { Err(Undecided) }
}

fn text<V: Value>(value: V) -> Result<V::Text, Undecided> {
    if let View::Text(text) = value.view() { Ok(text) } else { Err(Undecided) }
}

/// `validator.is_type(instance, name)`.
fn is_type<V: Value>(view: View<V>, name: V::Text) -> Verdict {
    let name = name.ascii().ok_or(Undecided)?;
    Ok(match (name, view) {
        // An instance of a subclass may be of any type.
        (_, View::Other) => return Err(Undecided),
        (b"string", view) => matches!(view, View::Text(_)),
        (b"object", view) => matches!(view, View::Object(_)),
        (b"boolean", view) => matches!(view, View::Bool(_)),
        (b"integer", View::Float(float)) => float.fract() == 0.0,
        (b"integer", view) => matches!(view, View::Int),
        (b"array", view) => matches!(view, View::List(_)),
        (b"number", view) => matches!(view, View::Int | View::Float(_)),
        (b"null", view) => matches!(view, View::Null),
        _ => return Err(Undecided),
    })
}

fn type_keyword<V: Value>(view: View<V>, value: V) -> Verdict {
    match value.view() {
        View::Text(name) => is_type(view, name),
        View::List(names) => {
            for name in names.items() {
                if is_type(view, text(name)?)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(Undecided),
    }
}

/// A keyword about numbers that fails with some orders of the instance and its own value.
fn bound<V: Value>(instance: V, value: V, fails: impl Fn(Ordering) -> bool) -> Verdict {
    if !matches!(instance.view(), View::Int | View::Float(_) | View::Other) {
        return Ok(true);
    }
    let Some(limit) = Number::of(value)? else { return Err(Undecided) };
    let Some(number) = Number::of(instance)? else { return Ok(true) };
    Ok(!number.compare(limit)?.is_some_and(fails))
}

fn multiple_of<V: Value>(instance: V, value: V) -> Verdict {
    if !matches!(instance.view(), View::Int | View::Float(_) | View::Other) {
        return Ok(true);
    }
    let (Some(Number::Int(number)), Some(Number::Int(divisor))) = (Number::of(instance)?, Number::of(value)?) else {
        return Err(Undecided);
    };
    Ok(number.checked_rem(divisor).ok_or(Undecided)? == 0)
}

/// A keyword about a length that fails with some orders of the length and its own value.
fn length<V: Value>(length: usize, value: V, fails: Ordering) -> Verdict {
    let View::Int = value.view() else { return Err(Undecided) };
    let limit = value.integer().ok_or(Undecided)?;
    Ok(i64::try_from(length).map_err(|_| Undecided)?.cmp(&limit) != fails)
}

/// `SkyPilot`'s enumeration in any case.
fn case_insensitive_enum<V: Value>(instance: V, value: V) -> Verdict {
    let instance = text(instance)?.ascii().ok_or(Undecided)?;
    let mut found = false;
    // The original makes all of them lower first.
    for item in list(value)?.items() {
        found |= text(item)?.ascii().ok_or(Undecided)?.eq_ignore_ascii_case(instance);
    }
    Ok(found)
}

/// `SkyPilot`'s other enumeration. Older releases don't have it, and look at nothing: then
/// only that it is met is sure.
fn case_sensitive_enum<V: Value>(instance: V, value: V) -> Verdict {
    let instance = text(instance)?;
    let mut found = false;
    for item in list(value)?.items() {
        found |= text(item)?.is_same(instance);
    }
    if found { Ok(true) } else { Err(Undecided) }
}

impl Walk<'_> {
    /// `validator.descend(instance, schema)`.
    fn descend<V: Value>(&mut self, instance: V, schema: V) -> Verdict {
        match schema.view() {
            View::Object(schema) => {
                if self.depth == MAX_DEPTH {
                    return Err(Undecided);
                }
                let draft = self.draft;
                self.depth += 1;
                let verdict = self.object_schema(instance, schema);
                self.depth -= 1;
                self.draft = draft;
                verdict
            }
            View::Bool(true) => Ok(true),
            View::Bool(false) => self.unmet(instance),
            _ => Err(Undecided),
        }
    }

    /// The verdict where a keyword isn't met.
    fn invalid(&self) -> Verdict {
        if self.alternatives == 0 { Err(Undecided) } else { Ok(false) }
    }

    /// The same where the error's message holds the instance.
    fn unmet<V: Value>(&self, instance: V) -> Verdict {
        let verdict = self.invalid()?;
        printable(instance)?;
        Ok(verdict)
    }

    /// `descend` where the error isn't the end.
    fn try_schema<V: Value>(&mut self, instance: V, schema: V) -> Verdict {
        self.alternatives += 1;
        let verdict = self.descend(instance, schema);
        self.alternatives -= 1;
        verdict
    }

    /// A schema that is an object, keyword by keyword.
    fn object_schema<V: Value>(&mut self, instance: V, schema: V::Object) -> Verdict {
        let view = instance.view();
        let mut members = Members { properties: None, patterns: None, additional: None };
        let mut condition = Condition { test: None, then: None, otherwise: None };
        let mut valid = true;
        for (position, (key, value)) in schema.entries().enumerate() {
            let key = text(key)?.ascii().ok_or(Undecided)?;
            let met = match key {
                b"type" => type_keyword(view, value)?,
                b"properties" => {
                    members.properties = Some(value);
                    continue;
                }
                b"additionalProperties" => {
                    members.additional = Some(value);
                    continue;
                }
                b"patternProperties" => {
                    members.patterns = Some(value);
                    continue;
                }
                b"if" => {
                    condition.test = Some(value);
                    continue;
                }
                b"then" => {
                    condition.then = Some(value);
                    continue;
                }
                b"else" => {
                    condition.otherwise = Some(value);
                    continue;
                }
                // What validates nothing: there is no format checker.
                b"description" | b"title" | b"default" | b"examples" | b"$comment" | b"format" => continue,
                b"$schema" if self.depth == 0 => continue,
                // It is for all of the subschema, the keywords before it included.
                b"$schema" if position == 0 && text(value)?.ascii() == Some(LATEST) => {
                    self.draft = Draft::Latest;
                    continue;
                }
                _ => self.keyword(key, view, instance, value)?,
            };
            if !met {
                valid = self.unmet(instance)?;
            }
        }
        if (members.properties.is_some() || members.patterns.is_some() || members.additional.is_some())
            && !self.members(view, &members)?
        {
            valid = self.invalid()?;
        }
        if let Some(schema) = condition.test
            && !self.condition(instance, schema, &condition)?
        {
            valid = self.invalid()?;
        }
        Ok(valid)
    }

    /// The less frequent keywords.
    fn keyword<V: Value>(&mut self, name: &[u8], view: View<V>, instance: V, value: V) -> Verdict {
        match name {
            b"case_insensitive_enum" | b"case_sensitive_enum" | b"dependencies" if self.draft == Draft::Latest => {
                Ok(true)
            }
            b"required" => Self::required(view, value),
            b"minProperties" | b"maxProperties" => match view {
                View::Object(object) => {
                    let fails = if name == b"minProperties" { Ordering::Less } else { Ordering::Greater };
                    length(object.length(), value, fails)
                }
                View::Other => Err(Undecided),
                _ => Ok(true),
            },
            b"case_insensitive_enum" => case_insensitive_enum(instance, value),
            b"case_sensitive_enum" => case_sensitive_enum(instance, value),
            b"pattern" => match view {
                View::Text(text) => self.search(value, text),
                View::Other => Err(Undecided),
                _ => Ok(true),
            },
            b"minLength" | b"maxLength" => match view {
                View::Text(text) => {
                    length(text.length(), value, if name == b"minLength" { Ordering::Less } else { Ordering::Greater })
                }
                View::Other => Err(Undecided),
                _ => Ok(true),
            },
            b"minItems" | b"maxItems" => match view {
                View::List(list) => {
                    let count = list.items().len();
                    length(count, value, if name == b"minItems" { Ordering::Less } else { Ordering::Greater })
                }
                View::Other => Err(Undecided),
                _ => Ok(true),
            },
            b"minimum" => bound(instance, value, Ordering::is_lt),
            b"maximum" => bound(instance, value, Ordering::is_gt),
            b"exclusiveMinimum" => bound(instance, value, Ordering::is_le),
            b"exclusiveMaximum" => bound(instance, value, Ordering::is_ge),
            b"multipleOf" => multiple_of(instance, value),
            b"items" => self.items(view, value),
            b"uniqueItems" => match (value.view(), view) {
                (View::Bool(false), _) => Ok(true),
                (View::Bool(true), View::List(list)) => unique::<V>(list),
                (View::Bool(true), View::Other) | (_, View::List(_)) => Err(Undecided),
                (View::Bool(true), _) => Ok(true),
                _ => Err(Undecided),
            },
            _ => self.combination(name, view, instance, value),
        }
    }

    /// Keywords that compare the whole instance, or hand it on.
    fn combination<V: Value>(&mut self, name: &[u8], view: View<V>, instance: V, value: V) -> Verdict {
        match name {
            b"enum" => {
                for item in list(value)?.items() {
                    if equal(item, instance, self.depth)? {
                        return Ok(true);
                    }
                }
                printable(value)?;
                Ok(false)
            }
            b"const" => {
                let same = equal(instance, value, self.depth)?;
                if !same {
                    printable(value)?;
                }
                Ok(same)
            }
            b"anyOf" => {
                for schema in list(value)?.items() {
                    if self.try_schema(instance, schema)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            b"oneOf" => {
                let mut matches = 0;
                for schema in list(value)?.items() {
                    matches += u32::from(self.try_schema(instance, schema)?);
                }
                if matches > 1 {
                    printable(value)?;
                }
                Ok(matches == 1)
            }
            b"allOf" => {
                let mut valid = true;
                for schema in list(value)?.items() {
                    valid &= self.descend(instance, schema)?;
                }
                Ok(valid)
            }
            b"not" => {
                let valid = self.try_schema(instance, value)?;
                if valid {
                    printable(value)?;
                }
                Ok(!valid)
            }
            b"dependencies" => self.dependencies(view, instance, value),
            b"propertyNames" => self.property_names(view, value),
            _ => Err(Undecided),
        }
    }

    fn required<V: Value>(view: View<V>, value: V) -> Verdict {
        let object = match view {
            View::Object(object) => object,
            View::Other => return Err(Undecided),
            _ => return Ok(true),
        };
        let names = list(value)?.items();
        if names.len() == 0 {
            return Ok(true);
        }
        plain_keys::<V>(object)?;
        let mut valid = true;
        for name in names {
            valid &= object.get(text(name)?).is_some();
        }
        Ok(valid)
    }

    /// `properties`, `patternProperties` and `additionalProperties` in one go.
    fn members<V: Value>(&mut self, view: View<V>, members: &Members<V>) -> Verdict {
        let instance = match view {
            View::Object(object) => object,
            View::Other => return Err(Undecided),
            _ => return Ok(true),
        };
        let properties = members.properties.map(object).transpose()?;
        let patterns = members.patterns.map(object).transpose()?;
        if !matches!(members.additional.map(Value::view), None | Some(View::Bool(_) | View::Object(_))) {
            return Err(Undecided);
        }
        // `additionalProperties` joins the patterns, whether there is a member to search or not.
        for object in [properties, patterns].into_iter().flatten() {
            plain_keys::<V>(object)?;
        }
        let mut valid = true;
        for (key, value) in instance.entries() {
            let key = text(key)?;
            let mut known = false;
            if let Some(schema) = properties.and_then(|properties| properties.get(key)) {
                known = true;
                valid &= self.descend(value, schema)?;
            }
            if let Some(patterns) = patterns {
                for (pattern, schema) in patterns.entries() {
                    if self.search(pattern, key)? {
                        known = true;
                        valid &= self.descend(value, schema)?;
                    }
                }
            }
            if !known && let Some(schema) = members.additional {
                valid &= self.descend(value, schema)?;
            }
        }
        Ok(valid)
    }

    fn search<V: Value>(&mut self, pattern: V, within: V::Text) -> Verdict {
        let pattern = text(pattern)?.ascii().ok_or(Undecided)?;
        // Among `patternProperties` it would be no pattern for `additionalProperties`.
        if pattern.is_empty() {
            return Err(Undecided);
        }
        self.patterns.search(pattern, within.ascii().ok_or(Undecided)?)
    }

    fn items<V: Value>(&mut self, view: View<V>, value: V) -> Verdict {
        let list = match view {
            View::List(list) => list,
            View::Other => return Err(Undecided),
            _ => return Ok(true),
        };
        let mut valid = true;
        if self.draft == Draft::SkyPilot
            && let View::List(schemas) = value.view()
        {
            for (item, schema) in list.items().zip(schemas.items()) {
                valid &= self.descend(item, schema)?;
            }
        } else {
            for item in list.items() {
                valid &= self.descend(item, value)?;
            }
        }
        Ok(valid)
    }

    fn dependencies<V: Value>(&mut self, view: View<V>, instance: V, value: V) -> Verdict {
        let members = match view {
            View::Object(object) => object,
            View::Other => return Err(Undecided),
            _ => return Ok(true),
        };
        plain_keys::<V>(members)?;
        let mut valid = true;
        for (key, dependency) in object(value)?.entries() {
            if members.get(text(key)?).is_none() {
                continue;
            }
            if let View::List(names) = dependency.view() {
                for name in names.items() {
                    valid &= members.get(text(name)?).is_some();
                }
            } else {
                valid &= self.descend(instance, dependency)?;
            }
        }
        Ok(valid)
    }

    fn property_names<V: Value>(&mut self, view: View<V>, schema: V) -> Verdict {
        let object = match view {
            View::Object(object) => object,
            View::Other => return Err(Undecided),
            _ => return Ok(true),
        };
        let mut valid = true;
        for (key, _) in object.entries() {
            valid &= self.descend(key, schema)?;
        }
        Ok(valid)
    }

    fn condition<V: Value>(&mut self, instance: V, schema: V, condition: &Condition<V>) -> Verdict {
        let chosen = if self.try_schema(instance, schema)? { condition.then } else { condition.otherwise };
        chosen.map_or(Ok(true), |schema| self.descend(instance, schema))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample::{self, *};
    use super::{MAX_DEPTH, Patterns, is_valid};

    fn text(value: &str) -> Sample {
        Text(value.into())
    }

    fn map<const N: usize>(entries: [(&str, Sample); N]) -> Sample {
        Object(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
    }

    fn valid(instance: &Sample, schema: &Sample) -> bool {
        is_valid(instance, schema, &mut Patterns::new())
    }

    /// Whether a verdict is known, and which: what isn't valid under a schema nor under its
    /// negation is left to the original.
    fn verdict(instance: &Sample, schema: &Sample) -> Option<bool> {
        let not = map([("not", schema.clone())]);
        match (valid(instance, schema), valid(instance, &not)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
            (true, true) => panic!("{instance:?} is valid and not valid under {schema:?}"),
        }
    }

    #[test]
    fn types() {
        for (instance, name, expected) in [
            (Bool(true), "integer", Some(false)),
            (Bool(true), "boolean", Some(true)),
            (Float(1.0), "integer", Some(true)),
            (Float(1.5), "integer", Some(false)),
            (Float(f64::INFINITY), "integer", Some(false)),
            (Float(f64::NAN), "number", Some(true)),
            (Large, "integer", Some(true)),
            (Null, "null", Some(true)),
            (Null, "any", None),
            (Other, "string", None),
        ] {
            let schema = map([("type", text(name))]);
            assert_eq!(verdict(&instance, &schema), expected, "{instance:?} as {name}");
        }
    }

    #[test]
    fn what_may_raise_is_unsure_even_after_an_error() {
        // The second keyword raises a TypeError, though the first one has failed already.
        let branch = map([("type", text("object")), ("minimum", text("1"))]);
        let schema = map([("anyOf", List(vec![branch, Bool(true)]))]);
        assert_eq!(verdict(&Int(5), &schema), None);
        assert_eq!(verdict(&Null, &schema), Some(true));
    }

    #[test]
    fn members_are_known_by_name_or_by_pattern() {
        let schema = map([
            ("additionalProperties", Bool(false)),
            ("patternProperties", map([("^x", map([("type", text("null"))]))])),
            ("properties", map([("a", map([]))])),
        ]);
        assert_eq!(verdict(&map([("a", Int(1)), ("x1", Null)]), &schema), Some(true));
        assert_eq!(verdict(&map([("b", Int(1))]), &schema), Some(false));
        assert_eq!(verdict(&map([("x1", Int(1))]), &schema), Some(false));
        assert_eq!(verdict(&Object(vec![(Int(1), Null)]), &schema), None);
        assert_eq!(verdict(&map([("é", Null)]), &schema), None);
        let no_text = ("patternProperties", Object(vec![(Int(1), Bool(true))]));
        assert_eq!(verdict(&map([]), &map([no_text, ("additionalProperties", Bool(true))])), None);
    }

    #[test]
    fn one_of_counts() {
        let schema = map([(
            "oneOf",
            List(vec![map([("type", text("integer"))]), map([("minimum", Int(2))]), map([("const", Int(1))])]),
        )]);
        assert_eq!(verdict(&Int(0), &schema), Some(true));
        assert_eq!(verdict(&Int(1), &schema), Some(false));
        assert_eq!(verdict(&Int(3), &schema), Some(false));
        assert_eq!(verdict(&Float(2.5), &schema), Some(true));
    }

    #[test]
    fn a_subschema_may_be_of_another_draft() {
        let custom = ("case_insensitive_enum", List(vec![text("a")]));
        let latest = ("$schema", text("https://json-schema.org/draft/2020-12/schema"));
        let inner = map([latest.clone(), custom.clone()]);
        assert_eq!(verdict(&text("A"), &map([custom.clone()])), Some(true));
        assert_eq!(verdict(&text("b"), &map([custom.clone()])), Some(false));
        assert_eq!(verdict(&Int(1), &map([custom.clone()])), None);
        // At the root it is nothing but a remark.
        assert!(!valid(&text("b"), &inner));
        let outer = map([("items", inner)]);
        assert_eq!(verdict(&List(vec![text("b"), Int(1)]), &outer), Some(true));
        let late = map([("items", map([custom.clone(), latest]))]);
        assert_eq!(verdict(&List(vec![text("b")]), &late), None);
        let after = map([("allOf", List(vec![outer, map([("items", map([custom]))])]))]);
        assert_eq!(verdict(&List(vec![text("b")]), &after), Some(false));
    }

    #[test]
    fn deep_nesting_is_left_alone() {
        let mut schema = map([("type", text("integer"))]);
        let mut instance = Int(1);
        for depth in 0..2 * MAX_DEPTH {
            assert_eq!(valid(&instance, &schema), depth <= MAX_DEPTH, "{depth}");
            schema = map([("items", schema)]);
            instance = List(vec![instance]);
        }
    }

    #[test]
    fn equality_keeps_truth_and_numbers_apart() {
        for (first, second, expected) in [
            (Bool(true), Int(1), Some(false)),
            (Int(1), Float(1.0), Some(true)),
            (List(vec![Bool(true)]), List(vec![Int(1)]), Some(false)),
            (map([("a", Int(0))]), map([("a", Float(0.0))]), Some(true)),
            (map([("a", Int(0))]), map([("b", Int(0))]), Some(false)),
            (Float(f64::NAN), Float(f64::NAN), None),
            (Large, Int(1), None),
            (List(vec![]), map([]), Some(false)),
            (Other, Null, None),
        ] {
            let schema = map([("const", second.clone())]);
            assert_eq!(verdict(&first, &schema), expected, "{first:?} and {second:?}");
        }
    }

    #[test]
    fn unknown_keywords_are_left_alone() {
        for keyword in ["$ref", "$id", "$schema", "contains", "additionalItems", "definitions", "Type", ""] {
            let schema = map([("allOf", List(vec![map([(keyword, text("x"))])]))]);
            assert_eq!(verdict(&Null, &schema), None, "{keyword}");
        }
    }
}

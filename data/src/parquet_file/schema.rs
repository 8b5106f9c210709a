//! What the columns of a Parquet file are to become: a tree of lists, structs and values.

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::schema::types::{Type, TypePtr};

use super::value::Meaning;

/// Longest value of a column of fixed width.
const MOST_WIDTH: i32 = 1 << 16;

/// How a value is put together from columns. Levels are those of Dremel, as the format describes them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A value of a column.
    Leaf {
        /// The column's index.
        column: usize,
        /// What its values mean.
        meaning: Meaning,
    },
    /// Null below a definition level.
    Optional { level: i16, inner: Box<Node> },
    /// A struct.
    Group(Vec<(String, Node)>),
    /// Elements, as long as values of its repetition level follow; none below the definition level.
    List { level: i16, repetition: i16, element: Box<Node> },
    /// Keys with values, as a list of pairs.
    Map { level: i16, repetition: i16, pair: Box<(Node, Node)> },
}

impl Node {
    /// The first of its columns, which says whether and how often there is something.
    pub(super) fn first_column(&self) -> usize {
        match self {
            Self::Leaf { column, .. } => *column,
            Self::Optional { inner, .. } => inner.first_column(),
            Self::Group(fields) => fields.first().map_or(0, |(_, node)| node.first_column()),
            Self::List { element, .. } => element.first_column(),
            Self::Map { pair, .. } => pair.0.first_column(),
        }
    }

    /// Calls `take` with each of its columns.
    pub(super) fn each_column(&self, take: &mut dyn FnMut(usize)) {
        match self {
            Self::Leaf { column, .. } => take(*column),
            Self::Optional { inner, .. } => inner.each_column(take),
            Self::Group(fields) => fields.iter().for_each(|(_, node)| node.each_column(take)),
            Self::List { element, .. } => element.each_column(take),
            Self::Map { pair, .. } => {
                pair.0.each_column(take);
                pair.1.each_column(take);
            }
        }
    }
}

/// The fields of a row.
///
/// # Errors
/// The rule that the schema breaks.
pub(super) fn fields(schema: &Type) -> Result<Vec<(String, Node)>, String> {
    let mut tree = Tree { n_columns: 0 };
    let fields = tree.group(schema, 0, 0)?;
    let mut names = std::collections::HashSet::new();
    match fields.iter().find(|(name, _)| !names.insert(name)) {
        Some((name, _)) => Err(format!("column `{name}` is there twice")),
        None => Ok(fields),
    }
}

/// The fields of a group; none of a value.
fn children(field: &Type) -> &[TypePtr] {
    if field.is_group() { field.get_fields() } else { &[] }
}

struct Tree {
    /// Columns met so far: they stand in the order of the tree.
    n_columns: usize,
}

impl Tree {
    fn group(&mut self, group: &Type, level: i16, repetition: i16) -> Result<Vec<(String, Node)>, String> {
        if !group.is_group() || group.get_fields().is_empty() {
            return Err(format!("group `{}` has no columns", group.name()));
        }
        let fields = group.get_fields().iter();
        fields.map(|field| Ok((field.name().to_owned(), self.node(field, level, repetition)?))).collect()
    }

    /// A field with what its repetition adds.
    fn node(&mut self, field: &TypePtr, level: i16, repetition: i16) -> Result<Node, String> {
        if !field.get_basic_info().has_repetition() {
            return Err(format!("`{}` is neither required nor optional nor repeated", field.name()));
        }
        match field.get_basic_info().repetition() {
            Repetition::REQUIRED => self.value(field, level, repetition),
            Repetition::OPTIONAL => {
                let inner = Box::new(self.value(field, level + 1, repetition)?);
                Ok(Node::Optional { level: level + 1, inner })
            }
            Repetition::REPEATED => {
                let (level, repetition) = (level + 1, repetition + 1);
                let element = Box::new(self.value(field, level, repetition)?);
                Ok(Node::List { level, repetition, element })
            }
        }
    }

    fn value(&mut self, field: &TypePtr, level: i16, repetition: i16) -> Result<Node, String> {
        if field.is_primitive() {
            if matches!(field.as_ref(), Type::PrimitiveType { type_length, .. } if *type_length > MOST_WIDTH) {
                return Err(format!("column `{}` has values of more than {MOST_WIDTH} bytes", field.name()));
            }
            self.n_columns += 1;
            return Ok(Node::Leaf { column: self.n_columns - 1, meaning: Meaning::of(field)? });
        }
        let info = field.get_basic_info();
        match (info.logical_type_ref(), info.converted_type()) {
            (Some(LogicalType::List), _) | (None, ConvertedType::LIST) => self.list(field, level, repetition),
            (Some(LogicalType::Map), _) | (None, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE) => {
                self.map(field, level, repetition)
            }
            _ => Ok(Node::Group(self.group(field, level, repetition)?)),
        }
    }

    /// The one repeated field within an annotated group.
    fn repeated(field: &TypePtr) -> Result<&TypePtr, String> {
        match field.get_fields() {
            [only]
                if only.get_basic_info().has_repetition()
                    && only.get_basic_info().repetition() == Repetition::REPEATED =>
            {
                Ok(only)
            }
            _ => Err(format!("list or map `{}` must have one repeated field", field.name())),
        }
    }

    fn list(&mut self, field: &TypePtr, level: i16, repetition: i16) -> Result<Node, String> {
        let repeated = Self::repeated(field)?;
        let (level, repetition) = (level + 1, repetition + 1);
        // old writers leave out the group around the element
        let is_element = match repeated.is_group() {
            false => true,
            true => {
                let name = repeated.name();
                repeated.get_fields().len() != 1 || name == "array" || name == format!("{}_tuple", field.name())
            }
        };
        let element = match (is_element, children(repeated)) {
            (false, [element]) => self.node(element, level, repetition)?,
            _ => self.value(repeated, level, repetition)?,
        };
        Ok(Node::List { level, repetition, element: Box::new(element) })
    }

    fn map(&mut self, field: &TypePtr, level: i16, repetition: i16) -> Result<Node, String> {
        let repeated = Self::repeated(field)?;
        let (level, repetition) = (level + 1, repetition + 1);
        match children(repeated) {
            [key, value] => {
                let pair = (self.node(key, level, repetition)?, self.node(value, level, repetition)?);
                Ok(Node::Map { level, repetition, pair: Box::new(pair) })
            }
            // a set
            [key] => {
                let element = Box::new(self.node(key, level, repetition)?);
                Ok(Node::List { level, repetition, element })
            }
            _ => Err(format!("map `{}` must have a key and a value", field.name())),
        }
    }
}

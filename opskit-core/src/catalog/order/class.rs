//! What the order must know about each class of objects.

use crate::catalog::address::Address;
use crate::catalog::ddl::Section;
use crate::catalog::model::{Check, Constraint, Definition, Object, TypeDefinition};

/// How an object may be made otherwise than in one step at its usual place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bend {
    /// Not at all.
    Never,
    /// After the rows.
    Late,
    /// After the rows, or in two steps: a view first with its columns and then with its query, a type
    /// first as a name and then with its functions.
    TwoSteps,
}

/// What the order must know about an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Class {
    /// When it is made.
    pub(super) section: Section,
    /// Which class comes first where dependencies leave the choice.
    pub(super) rank: u8,
    /// The object that it is made within, where nothing speaks against it.
    pub(super) within: Option<Address>,
    /// Whether it can be made outside of that object.
    pub(super) apart: Apart,
    /// Whether other objects can be made within this one.
    pub(super) takes_parts: bool,
    /// What else can be done with it when it hangs in a circle.
    pub(super) bend: Bend,
}

/// Whether a part can be made on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// It is better made within its object, but can be added later.
    Possible,
    /// Only within its object.
    Impossible,
}

impl Class {
    /// Made in one step, of its own.
    pub(super) const fn new(section: Section, rank: u8) -> Self {
        Self {
            section,
            rank,
            within: None,
            apart: Apart::Possible,
            takes_parts: false,
            bend: Bend::Never,
        }
    }

    /// Can take defaults and check constraints within.
    pub(super) const fn taking_parts(self) -> Self {
        Self {
            takes_parts: true,
            ..self
        }
    }

    /// Made within `owner` if that one takes parts. Apart from it, it may as well come late.
    pub(super) const fn within(self, owner: Address, apart: Apart) -> Self {
        Self {
            within: Some(owner),
            apart,
            bend: Bend::Late,
            ..self
        }
    }

    pub(super) const fn bending(self, bend: Bend) -> Self {
        Self { bend, ..self }
    }
}

/// What the order must know about an object.
pub(super) fn of(object: &Object) -> Class {
    let (section, rank) = place(&object.definition);
    let class = Class::new(section, rank);
    match &object.definition {
        Definition::Type(TypeDefinition::Base(_) | TypeDefinition::Range(_))
        | Definition::View(_) => class.bending(Bend::TwoSteps),
        Definition::DomainConstraint(_)
        | Definition::Function(_)
        | Definition::Operator(_)
        | Definition::Aggregate(_)
        | Definition::Cast(_)
        | Definition::MaterializedView(_) => class.bending(Bend::Late),
        Definition::Table(_) | Definition::ForeignTable(_) => class.taking_parts(),
        Definition::Default(default) => {
            let apart = match default.generated {
                None => Apart::Possible,
                Some(_) => Apart::Impossible,
            };
            class.within(default.relation, apart)
        }
        Definition::Constraint(Constraint::Check(check)) if is_early(check) => {
            class.within(check.relation, Apart::Possible)
        }
        _ => class,
    }
}

/// Whether a check constraint can be made with its table.
fn is_early(check: &Check) -> bool {
    check.validated && !check.validated_alone
}

/// The section, and which class comes first within it where dependencies leave the choice.
fn place(definition: &Definition) -> (Section, u8) {
    use Section::{Access, PostData, PreData};
    match definition {
        Definition::Schema => (PreData, 0),
        Definition::Extension(_) => (PreData, 1),
        Definition::Collation(_) => (PreData, 10),
        Definition::Language(_) => (PreData, 11),
        Definition::Type(_) => (PreData, 12),
        Definition::Domain(_) => (PreData, 13),
        Definition::DomainConstraint(it) if it.validated => (PreData, 14),
        Definition::DomainConstraint(_) => (PostData, 14),
        Definition::Transform(_) => (PreData, 20),
        Definition::Function(_) => (PreData, 21),
        Definition::Operator(_) => (PreData, 22),
        Definition::Aggregate(_) => (PreData, 23),
        Definition::OperatorFamily(_) => (PreData, 24),
        Definition::OperatorClass(_) => (PreData, 25),
        Definition::Cast(_) => (PreData, 26),
        Definition::Conversion(_) => (PreData, 27),
        Definition::AccessMethod(_) => (PreData, 28),
        Definition::TextSearch(_) => (PreData, 29),
        Definition::ForeignDataWrapper(_) => (PreData, 50),
        Definition::ForeignServer(_) => (PreData, 51),
        Definition::UserMapping(_) => (PreData, 52),
        Definition::Sequence(_) => (PreData, 60),
        Definition::Table(_) => (PreData, 61),
        Definition::ForeignTable(_) => (PreData, 62),
        Definition::View(_) => (PreData, 63),
        Definition::MaterializedView(_) => (PreData, 64),
        Definition::Default(_) => (PreData, 65),
        Definition::Constraint(Constraint::Check(check)) if is_early(check) => (PreData, 66),
        Definition::LargeObject => (PreData, 80),
        Definition::Index(_) => (PostData, 10),
        Definition::Constraint(Constraint::Key(_) | Constraint::Exclusion(_)) => (PostData, 11),
        Definition::Constraint(Constraint::Check(_)) => (PostData, 12),
        Definition::Statistics(_) => (PostData, 20),
        Definition::Rule(_) => (PostData, 30),
        Definition::Trigger(_) => (PostData, 31),
        Definition::Policy(_) => (PostData, 32),
        Definition::Publication(_) => (PostData, 40),
        Definition::PublicationTable(_) | Definition::PublicationSchema(_) => (PostData, 41),
        Definition::Subscription(_) => (PostData, 42),
        Definition::Constraint(Constraint::Foreign(_)) => (PostData, 90),
        Definition::DefaultAcl(_) => (Access, 0),
        Definition::EventTrigger(_) => (Access, 1),
    }
}

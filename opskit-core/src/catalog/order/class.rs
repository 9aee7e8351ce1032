//! What the order must know about each class of objects.

use crate::catalog::address::Address;
use crate::catalog::ddl::Section;
use crate::catalog::model::{Constraint, Definition, Object, TypeDefinition};

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

/// The classes, in the order in which they come where dependencies leave the choice.
pub(super) fn of(object: &Object) -> Class {
    use Section::{PostData, PreData};
    match &object.definition {
        Definition::Schema => Class::new(PreData, 0),
        Definition::Extension(_) => Class::new(PreData, 1),
        Definition::Collation(_) => Class::new(PreData, 10),
        Definition::Language(_) => Class::new(PreData, 11),
        Definition::Type(TypeDefinition::Base(_) | TypeDefinition::Range(_)) => {
            Class::new(PreData, 12).bending(Bend::TwoSteps)
        }
        Definition::Type(_) => Class::new(PreData, 12),
        Definition::Domain(_) => Class::new(PreData, 13),
        Definition::DomainConstraint(it) => {
            let section = if it.validated { PreData } else { PostData };
            Class::new(section, 14).bending(Bend::Late)
        }
        Definition::Transform(_) => Class::new(PreData, 20),
        Definition::Function(_) => Class::new(PreData, 21).bending(Bend::Late),
        Definition::Operator(_) => Class::new(PreData, 22).bending(Bend::Late),
        Definition::Aggregate(_) => Class::new(PreData, 23).bending(Bend::Late),
        Definition::OperatorFamily(_) => Class::new(PreData, 24),
        Definition::OperatorClass(_) => Class::new(PreData, 25),
        Definition::Cast(_) => Class::new(PreData, 26).bending(Bend::Late),
        Definition::Conversion(_) => Class::new(PreData, 27),
        Definition::AccessMethod(_) => Class::new(PreData, 28),
        Definition::TextSearch(_) => Class::new(PreData, 29),
        Definition::Sequence(_) => Class::new(PreData, 60),
        Definition::Table(_) => Class::new(PreData, 61).taking_parts(),
        Definition::ForeignDataWrapper(_) => Class::new(PreData, 50),
        Definition::ForeignServer(_) => Class::new(PreData, 51),
        Definition::UserMapping(_) => Class::new(PreData, 52),
        Definition::ForeignTable(_) => Class::new(PreData, 62).taking_parts(),
        Definition::View(_) => Class::new(PreData, 63).bending(Bend::TwoSteps),
        Definition::MaterializedView(_) => Class::new(PreData, 64).bending(Bend::Late),
        Definition::Default(default) => {
            let apart = match default.generated {
                None => Apart::Possible,
                Some(_) => Apart::Impossible,
            };
            Class::new(PreData, 65).within(default.relation, apart)
        }
        Definition::Constraint(Constraint::Check(check))
            if check.validated && !check.validated_alone =>
        {
            Class::new(PreData, 66).within(check.relation, Apart::Possible)
        }
        Definition::Index(_) => Class::new(PostData, 10),
        Definition::Constraint(Constraint::Key(_) | Constraint::Exclusion(_)) => {
            Class::new(PostData, 11)
        }
        Definition::Constraint(Constraint::Check(_)) => Class::new(PostData, 12),
        Definition::Statistics(_) => Class::new(PostData, 20),
        Definition::LargeObject => Class::new(PreData, 80),
        Definition::Rule(_) => Class::new(PostData, 30),
        Definition::Trigger(_) => Class::new(PostData, 31),
        Definition::Policy(_) => Class::new(PostData, 32),
        Definition::Publication(_) => Class::new(PostData, 40),
        Definition::PublicationTable(_) | Definition::PublicationSchema(_) => {
            Class::new(PostData, 41)
        }
        Definition::Subscription(_) => Class::new(PostData, 42),
        Definition::Constraint(Constraint::Foreign(_)) => Class::new(PostData, 90),
        Definition::DefaultAcl(_) => Class::new(Section::Access, 0),
        Definition::EventTrigger(_) => Class::new(Section::Access, 1),
    }
}

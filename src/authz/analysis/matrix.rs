//! The matrix: who may do what, as the policies themselves answer.
//!
//! For each action, kind of resource and column the policies are asked about a sample, in which all is unknown but who
//! is in which team: Cedar's partial evaluation leaves of each policy what that does not tell, and these are the
//! conditions of the cell. Whatever names an entity is such a condition, too. Credentials are not narrowed by scopes.

mod cell;
mod open;

use std::collections::HashMap;

use self::cell::Asker;
pub use self::cell::{Cell, Conditional, May};
use super::super::generation::Generation;
use super::super::table::kind::{Class, Kind, Narrowed, Standing, State};
use crate::model::{COLUMNS, Role};

/// Who the columns are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Somebody with this role on the application. On an organization, an administrator is one of its own.
    Role(Role),
    /// A user who is in nothing.
    Nobody,
    /// Whoever sends no credential.
    Anonymous,
}

impl Column {
    /// All, in their order.
    pub const ALL: [Self; 6] = [
        Self::Role(Role::Administrator),
        Self::Role(Role::Developer),
        Self::Role(Role::Operator),
        Self::Role(Role::Observer),
        Self::Nobody,
        Self::Anonymous,
    ];

    /// What stands at its head.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Role(Role::Administrator) => "Administrator",
            Self::Role(Role::Developer) => "Developer",
            Self::Role(Role::Operator) => "Operator",
            Self::Role(Role::Observer) => "Observer",
            Self::Nobody => "Member of nothing",
            Self::Anonymous => "Anonymous",
        }
    }
}

/// The matrix of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The rows: columns of the specification's table first, in its order, and then what concerns the account system.
    pub rows: Vec<Row>,
    /// Actions that apply to nothing that Gatepost owns.
    pub others: Vec<String>,
}

/// One action on some kinds of resources on which it is decided alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The group that the action is in, or its own name.
    pub group: String,
    /// The action.
    pub action: String,
    /// The entity types of the resources. `unregistered` follows the name of a type where what is not registered is
    /// decided otherwise than by denial.
    pub on: Vec<String>,
    /// A cell for each of [`Column::ALL`].
    pub cells: Vec<Cell>,
}

/// Works out the matrix.
pub fn compute(generation: &Generation) -> Matrix {
    let asker = Asker::new(generation);
    let (mut rows, mut others): (Vec<Row>, Vec<String>) = (Vec::new(), Vec::new());
    for (action, prepared) in generation.actions().iter().zip(generation.prepared().actions()) {
        let groups: Vec<_> = action.entities().iter().skip(1).map(cedar_policy::Entity::uid).collect();
        let known = groups.iter().map(|group| AsRef::<str>::as_ref(group.id())).find(|group| COLUMNS.contains(group));
        let first = groups.first().map(|group| AsRef::<str>::as_ref(group.id()));
        let group = known.or(first).unwrap_or_else(|| action.name()).to_owned();
        let before = rows.len();
        for kind in Kind::ALL {
            for is_registered in [true, false] {
                let cells = Column::ALL.map(|column| asker.cell(prepared, &variants(kind, column, is_registered)));
                if cells.iter().all(Option::is_none) {
                    continue;
                }
                // Where the schema does not take the question, the answer is no.
                let cells: Vec<Cell> = cells.into_iter().map(|cell| cell.unwrap_or(Cell::NO)).collect();
                // That nobody may do anything with what is not registered goes without saying.
                if !is_registered && cells.iter().all(|cell| cell.may == May::No) {
                    continue;
                }
                let name = format!("{kind:?}{}", if is_registered { "" } else { " (unregistered)" });
                match rows.iter_mut().skip(before).find(|row: &&mut Row| row.cells == cells) {
                    Some(row) => row.on.push(name),
                    None => {
                        let (group, action) = (group.clone(), action.name().to_string());
                        rows.push(Row { group, action, on: vec![name], cells });
                    }
                }
            }
        }
        let applies = !prepared.is_group();
        if rows.len() == before && applies {
            others.push(action.name().to_string());
        }
    }
    let order: HashMap<&str, usize> = COLUMNS.into_iter().zip(0..).collect();
    let place = |row: &Row| (order.get(row.group.as_str()).copied().unwrap_or(COLUMNS.len()), row.group.clone());
    rows.sort_by_key(place);
    Matrix { rows, others }
}

/// The samples that stand for a cell, each with what distinguishes it from the others. None if there are none.
fn variants(kind: Kind, column: Column, is_registered: bool) -> Vec<(Option<&'static str>, Class, State)> {
    let class = Class { is_anonymous: column == Column::Anonymous, kind };
    let registered = |role, administers| Standing::Registered { role, administers };
    let role = match column {
        Column::Role(role) => Some(role),
        Column::Nobody | Column::Anonymous => None,
    };
    let of_organization = match kind {
        Kind::Device => "principal in resource.application.organization.administrators",
        _ => "principal in resource.organization.administrators",
    };
    let standings = match (kind, is_registered) {
        (Kind::User, true) if column != Column::Anonymous => {
            vec![(Some("principal == resource"), Standing::Own), (None, registered(None, false))]
        }
        (Kind::Installation, false) => Vec::new(),
        (_, false) => vec![(None, Standing::Unregistered)],
        (Kind::Application | Kind::Device, true) if column != Column::Anonymous => {
            vec![(Some(of_organization), registered(role, true)), (None, registered(role, false))]
        }
        (Kind::Organization, true) => vec![(None, registered(None, role == Some(Role::Administrator)))],
        (_, true) => vec![(None, registered(None, false))],
    };
    let state = |standing| State { standing, narrowed: Narrowed::Not };
    standings.into_iter().map(|(label, standing)| (label, class, state(standing))).collect()
}

#[cfg(test)]
mod tests;

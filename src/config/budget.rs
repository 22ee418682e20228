//! `budget`: how many restarts are too many, of one child or of a whole group.

use std::time::Duration;

use crate::model::limits::RESTARTS_MAX;
use crate::model::spec::{Budget, OnLimit};

use super::at::At;
use super::keys::Table;
use super::raw::Section;

/// The time between tries of what is parked, unless told.
const PARK: Duration = Duration::from_secs(3600);

/// A budget as far as it has been read.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) budget: Budget,
    /// The time between tries where it parks.
    park: Duration,
    /// Whether any key of it is written somewhere.
    pub(super) is_told: bool,
    /// Whether it says what happens at the limit.
    pub(super) is_limit_told: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            park: PARK,
            is_told: false,
            is_limit_told: false,
        }
    }
}

impl Draft {
    /// Reads `budget` of a child or a group, over what holds already.
    pub(super) fn read(&mut self, section: &Section) {
        let Some(budget) = section.get("budget") else {
            return;
        };
        if let Some(section) = budget.section(Table::Budget) {
            self.count(&section);
            self.limit(&section);
        }
    }

    /// Reads `budget` of the root.
    pub(super) fn root(section: &Section) -> Option<Budget> {
        let section = section.get("budget")?.section(Table::Budget)?;
        for value in ["on-limit", "park"]
            .iter()
            .filter_map(|key| section.get(key))
        {
            let hint = "take it out: what is too much for the root ends sup with exit code 1";
            value.mistake("has no place here", hint);
        }
        let mut draft = Self::default();
        draft.count(&section);
        draft.budget.on_limit = OnLimit::Escalate;
        Some(draft.budget)
    }

    fn count(&mut self, section: &Section) {
        if let Some(value) = section.get("max-restarts") {
            self.is_told = true;
            match value.value.as_str() {
                Some("unlimited") => self.budget.max_restarts = None,
                Some(_) => value.wrong_type(),
                None => {
                    let count = value.whole(0, RESTARTS_MAX.into());
                    let count = count.and_then(|count| u16::try_from(count).ok());
                    self.budget.max_restarts = count.or(self.budget.max_restarts);
                }
            }
        }
        if let Some(value) = section.get("window") {
            self.is_told = true;
            self.budget.window = value.positive_duration().unwrap_or(self.budget.window);
        }
    }

    fn limit(&mut self, section: &Section) {
        let park = section.get("park");
        if let Some(span) = park.as_ref().and_then(At::positive_duration) {
            self.park = span;
        }
        let on_limit = section.get("on-limit");
        self.is_told |= park.is_some() || on_limit.is_some();
        self.is_limit_told |= on_limit.is_some();
        if let Some(at) = on_limit {
            let names = ["give-up", "park", "escalate"];
            self.budget.on_limit = match at.choice("what can happen at the limit", &names) {
                Some(0) => OnLimit::GiveUp,
                Some(1) => OnLimit::Park(self.park),
                Some(_) => OnLimit::Escalate,
                None => return,
            };
        }
        if let OnLimit::Park(span) = &mut self.budget.on_limit {
            *span = self.park;
        } else if let Some(park) = park {
            park.mistake(
                "has no effect without on-limit = \"park\"",
                "add on-limit = \"park\", or take park away",
            );
        }
    }
}

//! What can hold for an operation. What shows a plan, paces it, looks after the lock and takes back
//! asks for it.

use serde::{Deserialize, Serialize};

/// How dangerous an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Changes nothing.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Stops or removes something.
    Destructive,
}

impl Class {
    /// One character beside an operation; not by colour alone.
    pub fn mark(self) -> char {
        match self {
            Class::Read => '·',
            Class::Write => '+',
            Class::Destructive => '!',
        }
    }
    pub fn word(self) -> &'static str {
        match self {
            Class::Read => "read",
            Class::Write => "write",
            Class::Destructive => "destructive",
        }
    }
}

/// What an operation does to its site or host, as far as others reckon with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Makes a container.
    Create,
    /// Starts one: a host bears few of those at a time.
    Start,
    /// Starts one again, as costly.
    Restart,
    /// Takes a container away.
    Remove,
    /// Leads visitors to the new state: from here on nothing is taken back.
    Route,
    /// Leads them there no more.
    Unroute,
    /// Only notes that something was applied.
    Note,
    /// Anything else.
    Change,
}

/// The row of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its name as a word, the same as in a saved plan and in the journal.
    pub word: &'static str,
    /// How dangerous. What only reads needs no lock and counts as nothing against a host's pace.
    pub class: Class,
    /// What it does.
    pub deed: Deed,
    /// It follows from the rest of its group: its cause says nothing about why the group is there.
    pub follows: bool,
    /// It stands for itself: when it fails, nothing of its site is taken back or left undone but what
    /// waits for it.
    pub apart: bool,
}

impl Facts {
    /// Of a kind that changes nothing.
    pub const fn read(word: &'static str) -> Facts {
        Facts {
            word,
            class: Class::Read,
            deed: Deed::Change,
            follows: false,
            apart: false,
        }
    }
    /// Of a kind that changes something.
    pub const fn write(word: &'static str) -> Facts {
        Facts {
            class: Class::Write,
            ..Facts::read(word)
        }
    }
    /// Of a kind that stops or removes something.
    pub const fn destructive(word: &'static str) -> Facts {
        Facts {
            class: Class::Destructive,
            ..Facts::read(word)
        }
    }
    /// What others reckon with.
    pub const fn does(self, deed: Deed) -> Facts {
        Facts { deed, ..self }
    }
    /// It follows from the rest of its group.
    pub const fn follows(self) -> Facts {
        Facts {
            follows: true,
            ..self
        }
    }
    /// It stands for itself.
    pub const fn apart(self) -> Facts {
        Facts {
            apart: true,
            ..self
        }
    }
    /// Whether it changes anything on the host.
    pub fn changes(&self) -> bool {
        self.class != Class::Read
    }
    /// Whether it counts among a host's starts.
    pub fn starts(&self) -> bool {
        matches!(self.deed, Deed::Start | Deed::Restart)
    }
    /// Whether visitors are led elsewhere by it.
    pub fn switches(&self) -> bool {
        matches!(self.deed, Deed::Route | Deed::Unroute)
    }
}

/// What an operation of a service tells of itself.
pub trait Tells {
    /// Its row.
    fn facts(&self) -> Facts;
    /// What it does, in a few words.
    fn describe(&self) -> String;
}

//! What an operator asks for, in whichever face.

use super::look::Sites;
use super::saved::Saved;
use crate::fleet::{Edit, Name, SiteState};

#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// In words: what a commit is called for which nothing better is known.
    pub title: String,
    pub ask: Ask,
    pub sites: Sites,
    /// Also stop sites that no fleet file of this operator's ever named.
    pub stop_unknown: bool,
}

#[derive(Debug, Clone, Default)]
pub enum Ask {
    /// Make hosts match the file.
    #[default]
    Apply,
    /// The same by a plan that was made before, if nothing moved since.
    Saved(Box<Saved>),
    /// Finish the apply with this name, which was cut off.
    Finish(String),
    /// Take back the apply with this name, which was cut off.
    Undo(String),
    /// Change the file, and make hosts match it.
    Edit(Vec<Edit>),
    /// Write into the file what was changed by hand on these sites; only these fields, where any are
    /// named.
    Adopt(Vec<Name>, Vec<String>),
    /// Restart the containers of these sites: no line of the file says so.
    Restart(Vec<Name>),
    /// Replace what runs an older image than its tag stands for: these sites; none named: all that
    /// the wish is about, and routers.
    Update(Vec<Name>),
    /// Get other certificates for these sites, due or not.
    Renew(Vec<Name>),
    /// What is due by itself, such as certificates; nothing else.
    Tend,
    /// Ask registries for what the tags of the sites that the wish is about stand for by now; of
    /// routers too, where it is about everything. Replaces nothing.
    Pull,
}

impl Ask {
    /// Sets the state of sites.
    pub fn state<'a>(sites: impl IntoIterator<Item = &'a Name>, state: SiteState) -> Ask {
        let edit = |site: &Name| Edit::SetState {
            site: site.to_string(),
            state,
        };
        Ask::Edit(sites.into_iter().map(edit).collect())
    }
}

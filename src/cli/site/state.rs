//! `ostler site start|stop|archive`: edits of `state:`.

use super::super::apply::How;
use super::super::args::SiteArgs;
use super::super::confirm::Ask;
use super::super::context::Context;
use super::super::{Exit, Failure};
use crate::fleet::{Edit, SiteState};

/// Sets the state of a site. What takes it off the net asks for its name.
pub async fn run(context: &Context, args: &SiteArgs, state: SiteState) -> Result<Exit, Failure> {
    let file = context.load()?;
    super::known(&file, &args.site)?;
    let site = args.site.clone();
    let how = How {
        yes: args.yes,
        json: args.json.json,
        ask: match state {
            SiteState::Running => Ask::Yes,
            SiteState::Stopped | SiteState::Archived => Ask::Name(&args.site),
        },
    };
    super::change(
        context,
        &file,
        &args.site,
        &[Edit::SetState { site, state }],
        &how,
        args.commit,
    )
    .await
}

//! What services run in the toolbox, done to the simulated host. One file here and one line in
//! [`ALL`] per service.

#[cfg(test)]
mod marker;
mod secrets;

use super::world::World;
use crate::engine::ExecOutput;

/// Answers a script that was run in a container with these arguments.
type Answer = fn(&mut World, &str, &[&str]) -> ExecOutput;

/// Scripts by their tags.
const ALL: &[(&str, Answer)] = &[
    ("secrets", secrets::read),
    #[cfg(test)]
    ("markers", marker::read),
];

/// Answers a script of a service; `None`: none of them has this one.
pub(super) fn answer(
    world: &mut World,
    container: &str,
    tag: &str,
    args: &[&str],
) -> Option<ExecOutput> {
    let (_, answer) = ALL.iter().find(|(name, _)| *name == tag)?;
    Some(answer(world, container, args))
}

//! Images: pulled, or built from the recipe inside the program.

use std::collections::BTreeMap;

use futures_util::StreamExt;

use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure, Say};
use crate::engine::PullProgress;
use crate::host::archive::{Entry, pack};
use crate::host::toolbox::recipe;

/// Pulls an image by its reference.
pub async fn pull(work: &HostWork, image: &str, anew: bool, say: &Say) -> Answer {
    let mut layers: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut said = String::new();
    let mut lines = std::pin::pin!(work.client.pull(image));
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            () = work.cancel.cancelled() => return Err(Failure::new("cancelled")),
        };
        match line {
            None => return Ok(None),
            Some(Ok(line)) => {
                let text = progress(&mut layers, &line);
                if text != said {
                    say.step(&text);
                    said = text;
                }
            }
            Some(Err(e)) => {
                // It may have come by another way meanwhile.
                if !anew && work.client.inspect_image(image).await.is_ok() {
                    return Ok(Some("it was there already".into()));
                }
                if e.remedy().is_some() {
                    return Err(e.into());
                }
                return Err(Failure::from(e).remedy(format!(
                    "where no registry can be reached, bring the image there by hand: \
                     docker save {image} | docker -H HOST load"
                )));
            }
        }
    }
}

/// One line over all layers.
fn progress(layers: &mut BTreeMap<String, (u64, u64)>, line: &PullProgress) -> String {
    let (Some(id), Some(total)) = (&line.id, line.total) else {
        return match (&line.id, layers.is_empty()) {
            (None, _) | (_, true) => line.text.clone(),
            _ => sum(layers),
        };
    };
    if line.text.starts_with("Downloading") {
        layers.insert(id.clone(), (line.current.unwrap_or_default(), total));
    }
    match layers.is_empty() {
        true => line.text.clone(),
        false => sum(layers),
    }
}

fn sum(layers: &BTreeMap<String, (u64, u64)>) -> String {
    let (current, total) = layers
        .values()
        .fold((0, 0), |(a, b), (current, total)| (a + current, b + total));
    let megabytes = |n: u64| n / (1 << 20);
    format!("{} of {} MB", megabytes(current), megabytes(total))
}

/// Builds the image of a helper.
pub async fn build(work: &HostWork, image: &str, base: &str, say: &Say) -> Answer {
    // It becomes part of a line of the recipe.
    if base.is_empty() || !base.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Failure::new(format!(
            "{base:?} is not the name of an image"
        )));
    }
    let Some(recipe) = recipe(image) else {
        return Err(Failure::new(format!("there is no recipe for {image}")));
    };
    let text = recipe.text.replace("{base}", base);
    let tar = pack(&[Entry::file("Dockerfile", 0o644, 0, text)])
        .map_err(|e| Failure::new(format!("cannot pack the recipe of {image}: {e}")))?;
    let labels = BTreeMap::new();
    let mut lines = std::pin::pin!(work.client.build(image, tar, &labels, true));
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            () = work.cancel.cancelled() => return Err(Failure::new("cancelled")),
        };
        match line {
            None => return Ok(None),
            Some(Ok(line)) => say.step(&line.text),
            Some(Err(e)) => {
                let mut failure = Failure::from(e).remedy(format!(
                    "an image with {} that the host has can be named under `images: {}:`",
                    recipe.needs, recipe.key
                ));
                // The engine's last lines follow its error.
                let mut words = failure.why.split('\n').map(|l| l.trim_end().to_owned());
                let why = words.next().unwrap_or_default();
                failure.lines = words.collect();
                failure.why = why;
                return Err(failure);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_summed_up() {
        let mut layers = BTreeMap::new();
        let line = |id: Option<&str>, text: &str, current, total| PullProgress {
            id: id.map(str::to_owned),
            text: text.into(),
            current,
            total,
        };
        let mut say = |l| progress(&mut layers, &l);
        assert_eq!(
            say(line(None, "Pulling from library/nginx", None, None)),
            "Pulling from library/nginx"
        );
        assert_eq!(
            say(line(Some("a"), "Pulling fs layer", None, None)),
            "Pulling fs layer"
        );
        let mb = 1 << 20;
        assert_eq!(
            say(line(Some("a"), "Downloading", Some(mb), Some(10 * mb))),
            "1 of 10 MB"
        );
        assert_eq!(
            say(line(Some("b"), "Downloading", Some(2 * mb), Some(20 * mb))),
            "3 of 30 MB"
        );
        assert_eq!(
            say(line(Some("a"), "Pull complete", None, None)),
            "3 of 30 MB"
        );
        assert_eq!(say(line(None, "Status: done", None, None)), "Status: done");
    }
}

//! Files of containers.

use std::sync::Arc;

use ostler::host::archive::{Entry, Kind, header, pack, unpack};

use crate::common::bed::Bed;

pub async fn a_container_never_started_takes_and_gives_files(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("files"), &bed.idle())
        .await
        .unwrap();
    let tar = pack(&[
        Entry {
            gid: 200_009,
            ..Entry::folder("box", 0o711, 200_001)
        },
        Entry::file("box/secret", 0o600, 200_001, "s\0\u{e9}cret"),
    ])
    .unwrap();
    bed.client.archive_put(&id, "/srv", tar).await.unwrap();
    let entries = unpack(
        &bed.client
            .archive_get(&id, "/srv/box/secret")
            .await
            .unwrap(),
    )
    .unwrap();
    assert_eq!(
        entries,
        [Entry::file("secret", 0o600, 200_001, "s\0\u{e9}cret")]
    );
    let folder = unpack(&bed.client.archive_get(&id, "/srv/box").await.unwrap()).unwrap();
    assert_eq!(
        (folder[0].kind, folder[0].mode, folder[0].uid, folder[0].gid),
        (Kind::Folder, 0o711, 200_001, 200_009)
    );
    // Written over, with other rights.
    let tar = pack(&[Entry::file("box/secret", 0o640, 7, vec![b'x'; 300_000])]).unwrap();
    bed.client.archive_put(&id, "/srv", tar).await.unwrap();
    let entries = unpack(
        &bed.client
            .archive_get(&id, "/srv/box/secret")
            .await
            .unwrap(),
    )
    .unwrap();
    assert_eq!(
        (entries[0].mode, entries[0].uid, entries[0].bytes.len()),
        (0o640, 7, 300_000)
    );
    // And all of it is there when it runs.
    bed.client.start(&id).await.unwrap();
    assert_eq!(
        unpack(
            &bed.client
                .archive_get(&id, "/srv/box/secret")
                .await
                .unwrap()
        )
        .unwrap(),
        entries
    );
}

pub async fn folders_below_a_folder_come_with_it(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("tree"), &bed.idle())
        .await
        .unwrap();
    let long = "n".repeat(140);
    let entries = [
        Entry::folder("state", 0o700, 0),
        Entry::folder("state/sites", 0o700, 0),
        Entry::file(&format!("state/sites/{long}.json"), 0o600, 0, "{}"),
        Entry::file("state/host.json", 0o600, 0, ""),
    ];
    bed.client
        .archive_put(&id, "/srv", pack(&entries).unwrap())
        .await
        .unwrap();
    let found = unpack(&bed.client.archive_get(&id, "/srv/state").await.unwrap()).unwrap();
    let mut paths: Vec<String> = found
        .iter()
        .map(|entry| entry.path.trim_end_matches('/').to_owned())
        .collect();
    paths.sort();
    let mut wanted: Vec<String> = entries.iter().map(|entry| entry.path.clone()).collect();
    wanted.sort();
    assert_eq!(paths, wanted);
}

pub async fn a_link_is_not_followed_at_its_end(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("link"), &bed.idle())
        .await
        .unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut head = tar::Header::new_gnu();
    head.set_entry_type(tar::EntryType::Symlink);
    head.set_size(0);
    head.set_mode(0o777);
    builder
        .append_link(&mut head, "planted", "/etc/hostname")
        .unwrap();
    bed.client
        .archive_put(&id, "/srv", builder.into_inner().unwrap())
        .await
        .unwrap();
    let found = unpack(&bed.client.archive_get(&id, "/srv/planted").await.unwrap()).unwrap();
    assert_eq!((found.len(), found[0].kind), (1, Kind::Other));
}

pub async fn what_is_missing_is_not_found(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("missing"), &bed.idle())
        .await
        .unwrap();
    assert!(
        bed.client
            .archive_get(&id, "/srv/none")
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        bed.client
            .archive_get_head(&id, "/srv/none")
            .await
            .unwrap_err()
            .is_not_found()
    );
    let tar = pack(&[Entry::file("a", 0o600, 0, "")]).unwrap();
    assert!(
        bed.client
            .archive_put(&id, "/srv/none", tar.clone())
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        bed.client
            .archive_put("nosuchcontainer", "/srv", tar)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(bed.client.archive_get(&id, "srv").await.is_err());
}

pub async fn a_folder_of_the_host_is_made_and_shared(bed: Arc<Bed>) {
    let host = format!("/tmp/{}", bed.name("bind"));
    let mut body = bed.idle();
    body.host_config.get_or_insert_default().binds = Some(vec![format!("{host}:/data")]);
    let one = bed.started("one", &body).await;
    body.host_config.get_or_insert_default().binds = Some(vec![format!("{host}:/other:ro")]);
    let two = bed.client.create(&bed.name("two"), &body).await.unwrap();
    let tar = pack(&[Entry::file("shared", 0o640, 200_003, "both")]).unwrap();
    bed.client
        .archive_put(&one, "/data", tar.clone())
        .await
        .unwrap();
    let found = unpack(&bed.client.archive_get(&two, "/other/shared").await.unwrap()).unwrap();
    assert_eq!(found, [Entry::file("shared", 0o640, 200_003, "both")]);
    let error = bed
        .client
        .archive_put(&two, "/other", tar)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("marked read-only"), "{error}");
    if bed.sim.is_none() {
        let _ = std::fs::remove_dir_all(&host);
    }
}

pub async fn the_head_of_an_archive_is_its_beginning(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("head"), &bed.idle())
        .await
        .unwrap();
    let tar = pack(&[
        Entry::folder("www", 0o755, 200_004),
        Entry::file("www/big", 0o644, 1, vec![1; 9_000_000]),
    ])
    .unwrap();
    bed.client.archive_put(&id, "/srv", tar).await.unwrap();
    let head = bed.client.archive_get_head(&id, "/srv/www").await.unwrap();
    assert!(head.len() <= 4096);
    let entry = header(&head).unwrap();
    assert_eq!(
        (entry.kind, entry.mode, entry.uid),
        (Kind::Folder, 0o755, 200_004)
    );
}

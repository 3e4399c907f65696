//! Networks and addresses.

use std::sync::Arc;
use std::time::Duration;

use ostler::engine::{Error, ListedNetwork};

use crate::common::bed::Bed;

async fn place(bed: &Bed, id: &str, network: &str) -> ListedNetwork {
    let all = bed.client.containers().await.unwrap();
    all.into_iter().find(|row| row.id == id).unwrap().networks[network].clone()
}

pub async fn an_address_belongs_to_one(bed: Arc<Bed>) {
    let (network, _, address) = bed.network("net").await;
    let body = bed.at(bed.idle(), &network, address(10));
    let one = bed.started("one", &body).await;
    // Creating a second one with it is possible, starting is not.
    let two = bed.client.create(&bed.name("two"), &body).await.unwrap();
    let error = bed.client.start(&two).await.unwrap_err();
    assert!(
        error.to_string().contains("Address already in use"),
        "{error}"
    );
    assert!(!error.is_not_found() && error.is_answer());
    bed.client
        .stop(&one, Duration::from_secs(10))
        .await
        .unwrap();
    bed.client.start(&two).await.unwrap();
    assert_eq!(
        place(&bed, &two, &network).await.ip,
        address(10).to_string()
    );
    assert!(bed.client.start(&one).await.is_err());
}

pub async fn a_stopped_container_keeps_its_wish_only(bed: Arc<Bed>) {
    let (network, _, address) = bed.network("net").await;
    let id = bed
        .started("one", &bed.at(bed.idle(), &network, address(2)))
        .await;
    let wish = address(2).to_string();
    let running = place(&bed, &id, &network).await;
    assert_eq!(
        (running.ip.as_str(), running.address()),
        (wish.as_str(), Some(wish.as_str()))
    );
    bed.client.stop(&id, Duration::from_secs(10)).await.unwrap();
    let stopped = place(&bed, &id, &network).await;
    assert_eq!(
        (stopped.ip.as_str(), stopped.address()),
        ("", Some(wish.as_str()))
    );
    // Someone without a wish is given it.
    let mut body = bed.idle();
    body.host_config.get_or_insert_default().network_mode = Some(network.clone());
    let thief = bed.started("thief", &body).await;
    assert_eq!(place(&bed, &thief, &network).await.ip, wish);
    assert!(
        bed.client
            .start(&id)
            .await
            .unwrap_err()
            .to_string()
            .contains("in use")
    );
    bed.client.remove(&thief, true).await.unwrap();
    bed.client.start(&id).await.unwrap();
    bed.client
        .restart(&id, Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(place(&bed, &id, &network).await.ip, wish);
}

pub async fn an_address_outside_fails_the_start(bed: Arc<Bed>) {
    let (network, _, _) = bed.network("net").await;
    let body = bed.at(bed.idle(), &network, "10.8.7.6".parse().unwrap());
    let id = match bed.client.create(&bed.name("out"), &body).await {
        Ok(id) => id,
        // Newer engines look at creation.
        Err(error) => return assert!(error.is_answer(), "{error}"),
    };
    let error = bed.client.start(&id).await.unwrap_err();
    assert!(error.to_string().contains("does not belong"), "{error}");
}

pub async fn names_and_subnets_are_unique(bed: Arc<Bed>) {
    let (name, subnet, _) = bed.network("net").await;
    let error = bed
        .client
        .create_network(&bed.network_request("net", "10.234.1.0/24"))
        .await
        .unwrap_err();
    assert!(error.is_conflict(), "{error}");
    let error = bed
        .client
        .create_network(&bed.network_request("other", &subnet))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Status {
                code: 400 | 403,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("overlaps"), "{error}");
    let networks = bed.client.networks().await.unwrap();
    let found = networks
        .iter()
        .find(|network| network.name.as_deref() == Some(&name))
        .unwrap();
    assert_eq!(
        found.options.as_ref().unwrap()["com.docker.network.bridge.enable_icc"],
        "false"
    );
    assert_eq!(found.enable_ipv6, Some(false));
    let pools = found.ipam.as_ref().unwrap().config.as_ref().unwrap();
    assert_eq!(pools[0].subnet.as_deref(), Some(subnet.as_str()));
    assert!(found.labels.as_ref().unwrap().contains_key("ostler.test"));
}

pub async fn a_network_in_use_stays(bed: Arc<Bed>) {
    let (network, _, address) = bed.network("net").await;
    let id = bed
        .started("one", &bed.at(bed.idle(), &network, address(9)))
        .await;
    let error = bed.client.remove_network(&network).await.unwrap_err();
    assert!(matches!(error, Error::Status { code: 403, .. }), "{error}");
    bed.client.remove(&id, true).await.unwrap();
    bed.client.remove_network(&network).await.unwrap();
    assert!(
        bed.client
            .remove_network(&network)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

pub async fn a_container_without_an_address_says_how_it_is_on_the_network(bed: Arc<Bed>) {
    let row = async |id: &str| {
        let all = bed.client.containers().await.unwrap();
        all.into_iter().find(|row| row.id == id).unwrap()
    };
    let on = |mode: &str| {
        let mut body = bed.idle();
        body.host_config.get_or_insert_default().network_mode = Some(mode.to_owned());
        body
    };
    let (network, _, address) = bed.network("net").await;
    let owner = bed
        .started("owner", &bed.at(bed.idle(), &network, address(7)))
        .await;
    // Asked for by name, told by id.
    let guest = on(&format!("container:{}", bed.name("owner")));
    let guest = bed.started("guest", &guest).await;
    let found = row(&guest).await;
    assert_eq!(found.network_mode, format!("container:{owner}"));
    assert!(found.networks.is_empty(), "{:?}", found.networks);
    for mode in ["host", "none"] {
        let id = bed.started(mode, &on(mode)).await;
        let found = row(&id).await;
        assert_eq!(found.network_mode, mode);
        let addresses: Vec<_> = found
            .networks
            .values()
            .map(ListedNetwork::address)
            .collect();
        assert_eq!(addresses, [None]);
    }
    // It has no network while the other does not run.
    for id in [&guest, &owner] {
        bed.client.stop(id, Duration::from_secs(10)).await.unwrap();
    }
    let error = bed.client.start(&guest).await.unwrap_err();
    assert!(
        error.to_string().contains("non running container"),
        "{error}"
    );
    // Nor where there is no such container: some engines say so at once.
    let nobody = on(&format!("container:{}", bed.name("nobody")));
    if let Ok(id) = bed.client.create(&bed.name("lost"), &nobody).await {
        assert!(bed.client.start(&id).await.unwrap_err().is_answer());
    }
}

//! A plan that was tampered with after it was kept is refused, and says where.

use ostler::plan::{
    Class, Interruption, Notice, Operation, OperationId, OperationKind, Plan, Undo,
};
use ostler::record::spec::{Bind, ContainerSpec, NewContainer, SpecNetwork};
use ostler::walk::saved::{MadeFrom, Saved, SavedError};
use ostler::walk::{Ask, Refusal};

use super::world::{World, text};

async fn world() -> World {
    let world = World::applied(&text(&["blog"])).await;
    world.write(&text(&["blog", "shop"]));
    world
}

async fn kept(world: &World) -> Saved {
    let proposal = world.propose(Ask::Apply).await.unwrap();
    let from = MadeFrom::of(&proposal.before.fleet, &proposal.observed);
    let made_at = "2026-11-29T20:00:00Z".to_owned();
    Saved::new(Plan::clone(&proposal.plan()), from, vec![], made_at)
}

/// What is said about a plan that was changed like that after it was kept.
async fn refused(world: &World, tamper: impl FnOnce(&mut Plan)) -> String {
    let mut saved = kept(world).await;
    tamper(&mut saved.plan);
    // Written as ostler writes it: nothing shows but what it says.
    let saved = match Saved::from_bytes(&saved.to_bytes().unwrap()) {
        Ok(saved) => saved,
        Err(error) => return error.to_string(),
    };
    match world.propose(Ask::Saved(Box::new(saved))).await {
        Err(refusal @ Refusal::Stale { .. }) => refusal.to_string(),
        other => panic!("{other:?}"),
    }
}

fn of<'a>(plan: &'a mut Plan, id: &str) -> &'a mut Operation {
    let mut all = plan.operations.iter_mut();
    all.find(|o| o.id.0 == id).unwrap()
}

/// As it was found: a container with the host's root folder, on its network, as root.
fn two_operations(id: &str) -> [Operation; 2] {
    let container = NewContainer {
        name: "ostler-x-helper".into(),
        spec: ContainerSpec {
            image: "ostler-test/web:1".into(),
            user: Some("0:0".into()),
            binds: vec![Bind {
                host: "/".into(),
                inside: "/host".into(),
                read_only: false,
            }],
            network: SpecNetwork::Host,
            cap_add: vec!["SYS_ADMIN".into()],
            ..ContainerSpec::default()
        },
        address: None,
        limits: Default::default(),
        labels: Default::default(),
    };
    let start = ostler::plan::ContainerRef {
        name: container.name.clone(),
        id: None,
    };
    let operation = |id: String, kind| Operation {
        id: OperationId(id),
        host: "here".parse().unwrap(),
        site: None,
        kind,
        class: Class::Read,
        cause: vec!["make folders".into()],
        interrupts: Interruption::None,
        undo: Undo::Nothing,
        after: vec![],
    };
    let container = Box::new(container);
    [
        operation(id.to_owned(), OperationKind::CreateContainer { container }),
        operation(
            "here/extra".to_owned(),
            OperationKind::StartContainer { container: start },
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn operations_put_in_front_are_refused() {
    let world = world().await;
    let said = refused(&world, |plan| {
        plan.operations.splice(0..0, two_operations("here/first"));
    })
    .await;
    assert!(
        said.contains("here/first: is not to be done any more"),
        "{said}"
    );
    assert!(
        said.contains("here/extra: is not to be done any more"),
        "{said}"
    );
    // The second one of an id hides the first from whoever looks by id.
    let mut id = String::new();
    let said = refused(&world, |plan| {
        id = plan.operations.last().unwrap().id.to_string();
        let mut two = two_operations(&id);
        two[0].site = plan.operations.last().unwrap().site.clone();
        plan.operations.splice(0..0, two);
    })
    .await;
    assert!(
        said.contains(&format!("there are two operations {id}")),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_reviewer_saw_is_compared_whole() {
    let world = world().await;
    const CREATE: &str = "here/shop/create";
    let other = |kind: &OperationKind| Undo::By(Box::new(kind.clone()));
    type Tamper<'a> = Box<dyn Fn(&mut Plan) + 'a>;
    let cases: Vec<(Tamper, &str)> = vec![
        (
            Box::new(|plan| of(plan, CREATE).undo = Undo::Nothing),
            "here/shop/create: undo: \"nothing\" in it",
        ),
        (
            Box::new(|plan| {
                let kind = two_operations("x")[0].kind.clone();
                of(plan, CREATE).undo = other(&kind);
            }),
            "here/shop/create: undo.by",
        ),
        (
            Box::new(|plan| of(plan, CREATE).class = Class::Read),
            "here/shop/create: class: \"read\" in it, \"write\" now",
        ),
        (
            Box::new(|plan| of(plan, CREATE).cause = vec!["nothing new".into()]),
            "here/shop/create: cause",
        ),
        (
            Box::new(|plan| of(plan, CREATE).interrupts = Interruption::Lasting),
            "here/shop/create: interrupts: \"lasting\" in it, \"none\" now",
        ),
        (
            Box::new(|plan| {
                let OperationKind::CreateContainer { container } = &mut of(plan, CREATE).kind
                else {
                    panic!("{CREATE} creates nothing");
                };
                container.spec.user = Some("0:0".into());
            }),
            "here/shop/create: kind.container.spec.user: \"0:0\" in it",
        ),
        (
            Box::new(|plan| of(plan, CREATE).host = "there".parse().unwrap()),
            "here/shop/create is not one of shop on there",
        ),
        (
            Box::new(|plan| of(plan, CREATE).site = "blog".parse().ok()),
            "here/shop/create is not one of blog on here",
        ),
        (
            Box::new(|plan| of(plan, CREATE).after.clear()),
            "here/shop/create: after",
        ),
        (
            Box::new(|plan| {
                let last = plan.operations.len() - 1;
                plan.operations[last].after.clear();
                plan.operations.swap(last - 1, last);
            }),
            "after",
        ),
        (
            Box::new(|plan| {
                plan.notices.push(Notice {
                    host: "here".parse().unwrap(),
                    site: None,
                    text: "all is well".into(),
                });
            }),
            "here: all is well: not so any more",
        ),
        (
            Box::new(|plan| plan.fleet = "y".into()),
            "it is of the fleet y",
        ),
        (
            Box::new(|plan| plan.unknown = ["there".parse().unwrap()].into()),
            "there: whether it can be looked at",
        ),
    ];
    for (tamper, part) in cases {
        let said = refused(&world, |plan| tamper(plan)).await;
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_order_is_compared_too() {
    let world = World::new();
    world.write(&text(&["blog", "shop"]));
    // Two that do not wait for each other change places.
    let said = refused(&world, |plan| {
        let all = &plan.operations;
        let free = |at: &usize| !all[*at + 1].after.contains(&all[*at].id);
        let at = (0..all.len() - 1).find(free).unwrap();
        plan.operations.swap(at, at + 1);
    })
    .await;
    assert!(said.contains("the order: here/"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_touched_is_run_as_it_is_planned_now() {
    let world = world().await;
    let saved = kept(&world).await;
    let saved = Saved::from_bytes(&saved.to_bytes().unwrap()).unwrap();
    let count = saved.plan.operations.len();
    let proposal = world.propose(Ask::Saved(Box::new(saved))).await.unwrap();
    assert_eq!(proposal.plan().operations.len(), count);
    world.carry(&proposal).await;
    assert_eq!(world.plan().await.operations, []);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ended_longer_ago_is_no_other_plan() {
    let world = World::applied(&text(&["blog"])).await;
    let toolbox = world.toolbox().await;
    let name = ostler::record::names::site(&"x".parse().unwrap(), "blog");
    let grace = std::time::Duration::from_secs(1);
    toolbox.client.stop(&name, grace).await.unwrap();
    let mut saved = kept(&world).await;
    let start = of(&mut saved.plan, "here/blog/start");
    let cause = start.cause[0].clone();
    let (what, _) = cause.rsplit_once(") ").unwrap();
    assert!(cause.ends_with(" ago"), "{cause}");
    start.cause[0] = format!("{what}) 3 h ago");
    assert!(world.propose(Ask::Saved(Box::new(saved))).await.is_ok());
    let said = refused(&world, |plan| {
        let start = of(plan, "here/blog/start");
        start.cause[0] = format!("{what}9) 3 h ago");
    })
    .await;
    assert!(said.contains("here/blog/start: cause.0"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_not_as_it_was_written_is_refused_at_its_line() {
    let world = world().await;
    let saved = kept(&world).await;
    let text = String::from_utf8(saved.to_bytes().unwrap()).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Saved::from_bytes(text.replacen(from, to, 1).as_bytes())
    };
    // A key that nobody reads: what a reviewer was told by it nobody knows.
    let id = "\"id\": \"here/shop/create\",";
    let unknown = with(id, &format!("\"told\": \"harmless\",\n      {id}")).unwrap_err();
    let line = text[..text.find(id).unwrap()].matches('\n').count() + 1;
    let SavedError::Changed {
        line: found,
        text: told,
    } = &unknown
    else {
        panic!("{unknown}");
    };
    assert_eq!(*found, line);
    assert!(told.contains("harmless"), "{told}");
    // The same key twice.
    assert!(with(id, &format!("{id} {id}")).is_err());
    assert!(with("\"host\": \"here\"", "\"host\": \"../here\"").is_err());
    let later = with("\"made_at\": \"2026", "\"made_at\": \"soon 2026");
    assert!(later.unwrap_err().to_string().contains("made_at"));
    let deep = format!("{}1", "[".repeat(100_000));
    assert!(Saved::from_bytes(deep.as_bytes()).is_err());
    let at = text.find("\"problems\"").unwrap();
    let deep = format!("{}\"x\": {deep}, {}", &text[..at], &text[at..]);
    assert!(Saved::from_bytes(deep.as_bytes()).is_err());
}

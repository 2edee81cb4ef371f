//! Members, and the protection of the last owner.

use engines_auth::identity::{MemberRequest, RoleRequest};
use engines_core::{
    Actor, ActorType, Code, Principal, RequestContext, Result, Role, TenantId, UserId, nexus::PageRequest,
};

use crate::fixture::{Exposed, Node, code, secret, user, world};

/// Invites a user by id and accepts as that user, with the principal that an authenticator would build.
pub(crate) async fn add(
    node: &Node,
    context: &RequestContext,
    tenant: &TenantId,
    who: &UserId,
    role: Role,
) -> Result<()> {
    let request = MemberRequest { user_id: Some(who.clone()), email: None, role };
    node.identity.add_member(context, tenant, request).await?;
    let principal = Principal::assume_verified(Actor { id: who.clone(), kind: ActorType::Human }, "engines");
    crate::invite_consent::accept_own(node, &principal, tenant).await.map(|_| ())
}

async fn change(node: &Node, context: &RequestContext, tenant: &TenantId, who: &UserId, role: Role) -> Result<()> {
    node.identity.change_role(context, tenant, who, RoleRequest { role }).await.map(|_| ())
}

#[tokio::test]
async fn owners_manage_owners_and_admins_the_others() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let admin = world.a.signup("bob@example.org", None).await.unwrap();
    let member = world.a.verified("cy@example.org", None).await;
    let as_owner = world.a.enter(owner.access(), &acme).await.unwrap();
    add(&world.a, &as_owner, &acme, &admin.user.user_id, Role::Admin).await.unwrap();
    let as_admin = world.a.enter(admin.access(), &acme).await.unwrap();
    let by_mail = MemberRequest { user_id: None, email: Some(secret("CY@example.org")), role: Role::Member };
    world.a.identity.add_member(&as_admin, &acme, by_mail).await.unwrap();
    let cy = world.a.principal(member.access()).await.unwrap();
    crate::invite_consent::accept_own(&world.a, &cy, &acme).await.unwrap();
    let as_member = world.a.enter(member.access(), &acme).await.unwrap();

    for (context, who, role, expected) in [
        (&as_member, &admin, Role::Viewer, Some(Code::RoleInsufficient)),
        (&as_admin, &member, Role::Owner, Some(Code::RoleInsufficient)),
        (&as_admin, &owner, Role::Viewer, Some(Code::RoleInsufficient)),
        (&as_admin, &member, Role::Viewer, None),
        (&as_owner, &admin, Role::Owner, None),
        (&as_owner, &admin, Role::Admin, None),
        (&as_owner, &owner, Role::Admin, Some(Code::OpInvalid)),
    ] {
        let answer = change(&world.a, context, &acme, &who.user.user_id, role).await;
        assert_eq!(code(&answer), expected, "{role:?}");
        if expected == Some(Code::RoleInsufficient) {
            assert!(answer.unwrap_err().member("decision_id").is_some());
        }
    }
    let remove = |context: RequestContext, who: UserId| {
        let (node, acme) = (world.a.clone(), acme.clone());
        async move { code(&node.identity.remove_member(&context, &acme, &who).await) }
    };
    assert_eq!(remove(as_admin.clone(), owner.user.user_id.clone()).await, Some(Code::RoleInsufficient));
    assert_eq!(remove(as_owner.clone(), owner.user.user_id.clone()).await, Some(Code::OpInvalid));
    assert_eq!(remove(as_admin.clone(), user("nobody")).await, Some(Code::NotFound));
    assert_eq!(remove(as_admin.clone(), member.user.user_id.clone()).await, None);
    assert_eq!(remove(as_admin.clone(), member.user.user_id.clone()).await, Some(Code::NotFound));
    let listed = world.a.identity.list_members(&as_admin, &acme, PageRequest::first(9)).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    assert_eq!(
        code(&world.a.identity.list_members(&as_member, &acme, PageRequest::first(9)).await),
        Some(Code::RoleInsufficient)
    );
    // A removed user may come back.
    add(&world.a, &as_owner, &acme, &member.user.user_id, Role::Viewer).await.unwrap();
    assert_eq!(
        code(&add(&world.a, &as_owner, &acme, &member.user.user_id, Role::Viewer).await),
        Some(Code::AlreadyExists)
    );
    assert_eq!(world.a.enter(member.access(), &acme).await.unwrap().role(), Role::Viewer);
    for request in [
        MemberRequest { user_id: None, email: None, role: Role::Viewer },
        MemberRequest { user_id: Some(user("u")), email: Some(secret("x@x.org")), role: Role::Viewer },
    ] {
        assert_eq!(code(&world.a.identity.add_member(&as_owner, &acme, request).await), Some(Code::BodyInvalid));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_last_owners_who_go_at_the_same_time_one_stays() {
    let world = world();
    for round in 0..10 {
        let (one, acme) = world.a.owner(&format!("one{round}@example.org")).await;
        let two = world.a.signup(&format!("two{round}@example.org"), None).await.unwrap();
        let context = world.a.enter(one.access(), &acme).await.unwrap();
        add(&world.a, &context, &acme, &two.user.user_id, Role::Owner).await.unwrap();
        let other = world.b.enter(two.access(), &acme).await.unwrap();
        let (one, two) = (one.user.user_id, two.user.user_id);
        let answers = if round % 2 == 0 {
            tokio::join!(
                change(&world.a, &context, &acme, &one, Role::Viewer),
                change(&world.b, &other, &acme, &two, Role::Viewer)
            )
        } else {
            tokio::join!(
                world.a.identity.remove_member(&context, &acme, &two),
                world.b.identity.remove_member(&other, &acme, &one)
            )
        };
        let answers = <[_; 2]>::from(answers);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert!(answers.iter().any(|answer| code(answer) == Some(Code::OpInvalid)));
    }
}

#[tokio::test]
async fn tenants_kept_elsewhere_may_have_members_here() {
    let world = world();
    // A token minted elsewhere, for a tenant and a user that the store does not know.
    let elsewhere = crate::directory::minted(&world.a, "boss", &[("t_far", Role::Owner)]);
    let far = crate::fixture::tenant("t_far");
    let boss = world.a.enter(&elsewhere, &far).await.unwrap();
    let ada = world.a.signup("ada@example.org", None).await.unwrap();
    add(&world.a, &boss, &far, &ada.user.user_id, Role::Member).await.unwrap();
    assert_eq!(world.a.enter(ada.access(), &far).await.unwrap().role(), Role::Member);
    // The role of the boss is unchanged.
    assert_eq!(world.a.enter(&elsewhere, &far).await.unwrap().role(), Role::Owner);
    // From now on the store has this membership and decides on it.
    let theirs = crate::directory::minted(&world.a, "mail@example.org", &[("t_far", Role::Admin)]);
    assert_eq!(world.a.enter(&theirs, &far).await.unwrap().role(), Role::Admin);
    add(&world.a, &boss, &far, &user("mail@example.org"), Role::Viewer).await.unwrap();
    assert_eq!(world.a.enter(&theirs, &far).await.unwrap().role(), Role::Viewer);
    world.a.identity.remove_member(&boss, &far, &user("mail@example.org")).await.unwrap();
    assert_eq!(code(&world.a.enter(&theirs, &far).await), Some(Code::TenantForbidden));
}

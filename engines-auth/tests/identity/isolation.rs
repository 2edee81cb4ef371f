//! Objects of one tenant do not exist for another: every service method, called from another tenant.

use engines_auth::{
    api_key::RotateRequest,
    identity::{InviteRequest, MemberRequest, RoleRequest, TenantRequest},
};
use engines_core::{Code, Role, nexus::PageRequest};

use crate::{
    fixture::{Exposed, code, world},
    members::add,
};

#[tokio::test]
async fn one_user_with_two_roles_has_each_where_it_belongs() {
    let world = world();
    let (ada, acme) = world.a.owner("ada@example.org").await;
    let (bob, beta) = world.a.owner("bob@example.org").await;
    let in_beta = world.a.enter(bob.access(), &beta).await.unwrap();
    add(&world.a, &in_beta, &beta, &ada.user.user_id, Role::Viewer).await.unwrap();
    let owner = world.a.enter(ada.access(), &acme).await.unwrap();
    let viewer = world.a.enter(ada.access(), &beta).await.unwrap();
    assert_eq!((owner.role(), viewer.role()), (Role::Owner, Role::Viewer));
    let key = crate::api_keys::make(&world.a, &owner, Role::Owner).await.unwrap();
    let invite = InviteRequest { role: Role::Viewer, email: None, expires_in: None, send: true };
    let invite = world.a.identity.create_invite(&owner, &acme, invite).await.unwrap().invite.invite_id;
    let as_key = world.a.enter(key.key.expose(), &acme).await.unwrap();

    // From beta, where Bob owns everything, against objects of acme; and with acme's key against objects of beta.
    let id = &key.view.key_id;
    let who = &ada.user.user_id;
    let (identity, keys) = (&world.a.identity, world.a.identity.api_keys());
    for (context, target) in [(&in_beta, &acme), (&as_key, &beta)] {
        let answers = [
            code(&identity.get_tenant(context, target).await),
            code(&identity.rename_tenant(context, target, TenantRequest { name: "x".into() }).await),
            code(&identity.disable_tenant(context, target).await),
            code(&identity.list_members(context, target, PageRequest::first(9)).await),
            code(&add(&world.a, context, target, &bob.user.user_id, Role::Viewer).await),
            code(&identity.change_role(context, target, who, RoleRequest { role: Role::Viewer }).await),
            code(&identity.remove_member(context, target, who).await),
            code(&identity.list_invites(context, target, PageRequest::first(9)).await),
            code(&identity.delete_invite(context, target, &invite).await),
        ];
        assert!(answers.iter().all(|answer| *answer == Some(Code::NotFound)), "{answers:?}");
    }
    // A call that names the caller's own tenant with an object of another.
    assert_eq!(code(&identity.delete_invite(&in_beta, &beta, &invite).await), Some(Code::NotFound));
    assert_eq!(code(&keys.revoke(&in_beta, id).await), Some(Code::NotFound));
    assert_eq!(code(&keys.rotate(&in_beta, id, RotateRequest::default()).await), Some(Code::NotFound));
    assert!(identity.list_invites(&in_beta, &beta, PageRequest::first(9)).await.unwrap().items.is_empty());
    let names = identity.list_members(&in_beta, &beta, PageRequest::first(9)).await.unwrap().items;
    assert_eq!(names.iter().filter(|member| member.tenant_id == beta).count(), 2);
    // The viewer in beta is no owner there, whatever they own elsewhere.
    let request = MemberRequest { user_id: Some(bob.user.user_id.clone()), email: None, role: Role::Viewer };
    assert_eq!(code(&identity.add_member(&viewer, &beta, request).await), Some(Code::RoleInsufficient));
    assert_eq!(code(&crate::api_keys::make(&world.a, &viewer, Role::Viewer).await), Some(Code::RoleInsufficient));
    // A ticket of one tenant is invalid in the other.
    let ticket = crate::tickets::ticket(&world.a, &viewer, "/sse/x", None).await.unwrap();
    assert_eq!(world.a.enter_by_ticket(ticket.ticket.expose(), "/sse/x", None).await.unwrap().scope().tenant(), &beta);
    // The calls changed nothing.
    assert_eq!(identity.get_tenant(&owner, &acme).await.unwrap().name, "Acme Inc.");
    assert!(world.a.enter(key.key.expose(), &acme).await.is_ok());
}

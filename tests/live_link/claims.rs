//! The lock on a real host, over ssh.

use super::*;

#[tokio::test]
async fn of_two_homelabs_one_has_the_lock_of_a_host_and_the_other_hears_who() {
    let project = ProjectName::new("link-claims").unwrap();
    // Two runs of one user share ssh's master.
    let connection = to("lab4");
    let (first, second) = (Look::open(&connection).await.unwrap(), Look::open(&connection).await.unwrap());
    let me = Claim::me("deploy").unwrap();
    let take = |look| Claim::take(look, (&project, &me), 0, |_| {});
    let Claimed::Held(held) = take(&first).await.unwrap() else { panic!("it was not free") };
    let Claimed::Busy(Some(holder), Some(_)) = take(&second).await.unwrap() else { panic!("it was free") };
    assert_eq!((holder.run, holder.verb.as_str()), (me.run.clone(), "deploy"));
    held.release().await;
    let Claimed::Held(held) = take(&second).await.unwrap() else { panic!("it was not given up") };
    assert!(!held.waited && held.before.iter().all(|holder| !holder.at_work));
    assert_eq!(held.before.iter().map(|holder| &holder.run).collect::<Vec<_>>(), [&me.run]);
    held.release().await;
    first.close().await;
    second.close().await;
    lab(&["ssh", "lab4", "rm -f /tmp/homelab-link-claims.* /run/lock/homelab-link-claims.*"]);
}

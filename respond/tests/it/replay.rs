//! Blocks that come again after a crash, cut differently.

use event::severity::Severity;
use proptest::prelude::*;

use crate::{rig::Rig, smtp::SmtpServer};

#[tokio::test]
async fn a_block_that_reaches_back_behind_the_cursor_counts_only_what_is_new() {
    let smtp = SmtpServer::start().await;
    let mut rig = Rig::new(smtp.port, |_| {}).await;
    rig.person("lan").await;
    let found = |frame| rig.found(frame, "203.0.113.9", Severity::High);
    rig.responder.record(2, &[found(1), found(2)]).await.unwrap();
    rig.responder.record(4, &[found(1), found(2), found(3), found(4)]).await.unwrap();
    rig.responder.record(3, &[found(3)]).await.unwrap();
    let alerts = rig.state.alerts(&rig.scope(), &Default::default()).await.unwrap();
    assert_eq!((alerts.len(), alerts[0].count), (1, 4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// Frames in blocks cut at random, with restarts after which an unknown stretch comes again: counts and pages are those of
    /// one clean run.
    #[test]
    fn random_restarts_neither_lose_nor_double(cuts in prop::collection::vec((1u64..6, 0u64..8, any::<bool>()), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let smtp = SmtpServer::start().await;
            let mut rig = Rig::new(smtp.port, |settings| settings.paging.storm_pages = 1000).await;
            rig.person("lan").await;
            let mut next = 1u64;
            for (length, back, restart) in cuts {
                if restart {
                    rig = rig.restarted().await;
                    next = next.saturating_sub(back).max(1);
                }
                let through = next + length - 1;
                let found: Vec<_> = (next..=through).map(|frame| rig.found(frame, &format!("203.0.113.{}", frame % 3), Severity::High)).collect();
                rig.responder.record(through, &found).await.unwrap();
                if restart {
                    rig.work().await;
                }
                next = through + 1;
            }
            rig.work().await;
            let through = rig.state.cursor("detect").await.unwrap();
            let incidents = rig.state.incidents(&rig.scope(), &Default::default()).await.unwrap();
            prop_assert_eq!(incidents.iter().map(|incident| incident.events).sum::<u64>(), through);
            prop_assert_eq!(incidents.len() as u64, through.min(3));
            prop_assert_eq!(smtp.received().len(), incidents.len(), "one page each");
            Ok(())
        })?;
    }
}

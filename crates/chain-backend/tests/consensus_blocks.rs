//! The consensus tests that are always run; `scripts/consensus.sh` runs any folder of them.

mod vectors;

use std::path::Path;

use vectors::Verdict;

#[test]
fn official_chains_have_their_head_and_invalid_blocks_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/consensus-blocks");
    let outcomes = vectors::run_folder(&folder).unwrap();
    let mut passed = 0;
    for outcome in &outcomes {
        match &outcome.verdict {
            Verdict::Passed => passed += 1,
            Verdict::Failed(reason) => panic!("{}: {reason}", outcome.test),
            Verdict::Skipped(reason) => {
                assert_eq!(reason, "Constantinople without Petersburg is refused by name");
            }
        }
    }
    assert_eq!(passed, 65, "of {}", outcomes.len());
}

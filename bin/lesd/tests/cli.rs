//! The program as an operator runs it: one clear error each, nothing lost, an end within 5 s.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use lesd::{
    ChainWriter, data_directory,
    dev::{self, BlockMaker, Period},
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

fn lesd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesd"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn run(arguments: &[&str]) -> Output {
    lesd(arguments).output().unwrap()
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// It must fail with one line of the program's own that has all the words.
#[track_caller]
fn fails(arguments: &[&str], words: &[&str]) {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!errors.contains("panicked"), "{errors}");
    let last = errors.lines().last().unwrap_or_default();
    for word in words {
        assert!(errors.contains(word), "no {word:?} in: {errors}");
    }
    assert!(last.starts_with("lesd: ") || errors.contains("Usage"), "{errors}");
}

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

fn small(name: &str) -> String {
    fixture("chain/small").join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_chain_is_made_imported_exported_and_verified() {
    let directory = Directory::new();
    let (data, out) = (directory.path("data"), directory.path("out.rlp"));
    let (genesis, chain) = (small("genesis.json"), small("chain.rlp.gz"));
    succeeds(&["init", "--datadir", &data, &genesis]);
    succeeds(&["init", "--datadir", &data, &genesis]);
    succeeds(&["import", "--datadir", &data, &chain]);
    succeeds(&["import", "--datadir", &data, &chain]);
    let stats: serde_json::Value =
        serde_json::from_str(&succeeds(&["db", "stats", "--json", "--datadir", &data])).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(small("manifest.json")).unwrap()).unwrap();
    assert_eq!(stats["head"]["hash"], manifest["headHash"]);
    assert_eq!(stats["genesis"], manifest["genesisHash"]);
    assert_eq!(stats["totalDifficulty"], manifest["totalDifficulty"]);
    assert!(
        succeeds(&["db", "stats", "--datadir", &data]).contains("head              430 0x9104")
    );
    assert_eq!(succeeds(&["db", "verify", "--datadir", &data]), "no faults\n");
    succeeds(&["export", "--datadir", &data, &out, "1"]);
    let again = directory.path("again");
    succeeds(&["init", "--datadir", &again, &genesis]);
    succeeds(&["import", "--datadir", &again, &out]);
    fails(&["export", "--datadir", &data, &out], &["exists already"]);
    fails(&["export", "--datadir", &data, &directory.path("x"), "431"], &["the head is 430"]);
}

#[test]
fn what_cannot_be_used_is_refused_with_what_to_do() {
    let directory = Directory::new();
    let data = directory.path("data");
    let (genesis, chain) = (small("genesis.json"), small("chain.rlp.gz"));
    fails(&["import", "--datadir", &data, &chain], &["holds no chain", "lesd init"]);
    fails(&["node", "--datadir", &data], &["holds no chain", "lesd init"]);
    fails(&["init", "--datadir", &data, &directory.path("none.json")], &["none.json"]);
    let unknown = directory.path("unknown.json");
    let text = fs::read_to_string(&genesis).unwrap().replacen("\"alloc\"", "\"aloc\"", 1);
    fs::write(&unknown, text).unwrap();
    fails(&["init", "--datadir", &data, &unknown], &["unknown.json", "aloc"]);
    succeeds(&["init", "--datadir", &data, &genesis]);
    let shanghai = directory.path("shanghai.json");
    let text = fs::read_to_string(&genesis).unwrap();
    fs::write(&shanghai, text.replacen("\"clique\"", "\"shanghaiTime\": 0, \"clique\"", 1))
        .unwrap();
    let fresh = directory.path("fresh");
    fails(
        &["node", "--datadir", &fresh, "--genesis", &shanghai],
        &["config.shanghaiTime", "Clique"],
    );
    fails(&["node", "--dev", "--genesis", &genesis, "--datadir", &fresh], &["--dev", "--genesis"]);
    fails(&["node", "--dev", "--datadir", &data], &["genesis"]);
    fails(&["node", "--dev.period", "3"], &["need --dev"]);
    let other = fixture("chain/forks").join("genesis.json");
    let other = other.to_str().unwrap();
    fails(&["init", "--datadir", &data, other], &["genesis", "0xe0203db9"]);
    fails(&["node", "--datadir", &data, "--genesis", other], &["genesis", "0xe0203db9"]);
    fails(&["node", "--datadir", &data, "--archive"], &["lesd init --archive"]);
    fails(&["node", "--datadir", &data, "--nodekeyhex", "12"], &["64 hexadecimal digits"]);
    fails(&["node", "--import", &chain], &["--datadir"]);
    fails(&["import", "--datadir", &data, &genesis], &["genesis.json", "byte 0"]);
    let foreign = fixture("chain/forks").join("chain.rlp.gz");
    fails(&["import", "--datadir", &data, foreign.to_str().unwrap()], &["block 1", "chain.rlp.gz"]);
    let config = directory.path("lesd.toml");
    fs::write(&config, "[light]\nmaxpeer = 3\n").unwrap();
    fails(&["node", "--config", &config], &["lesd.toml", "light.maxpeer"]);
}

#[test]
fn a_cut_file_is_refused_where_it_is_cut_and_the_rest_is_kept() {
    let directory = Directory::new();
    let (data, whole, cut) =
        (directory.path("data"), directory.path("whole.rlp"), directory.path("cut.rlp"));
    succeeds(&["init", "--datadir", &data, &small("genesis.json")]);
    succeeds(&["import", "--datadir", &data, &small("chain.rlp.gz")]);
    succeeds(&["export", "--datadir", &data, &whole, "1"]);
    let bytes = fs::read(&whole).unwrap();
    fs::write(&cut, bytes.split_last().unwrap().1).unwrap();
    let second = directory.path("second");
    succeeds(&["init", "--datadir", &second, &small("genesis.json")]);
    fails(&["import", "--datadir", &second, &cut], &["cut off", "begins at byte"]);
    assert!(succeeds(&["db", "stats", "--datadir", &second]).starts_with("head              429"));
    succeeds(&["import", "--datadir", &second, &whole]);
    assert!(succeeds(&["db", "stats", "--datadir", &second]).starts_with("head              430"));
}

#[test]
fn damage_in_the_middle_is_refused_and_repaired_only_when_asked() {
    let directory = Directory::new();
    let data = directory.path("data");
    succeeds(&["init", "--datadir", &data, &small("genesis.json")]);
    succeeds(&["import", "--datadir", &data, &small("chain.rlp.gz")]);
    for name in ["bodies-00000.seg", "journal-00000.seg"] {
        let file = format!("{data}/chain/{name}");
        let mut bytes = fs::read(&file).unwrap();
        // Behind the last checkpoint, far from the end.
        let at = bytes.len() - bytes.len() / 16;
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        fails(&["db", "stats", "--datadir", &data], &["damage", "lesd db repair"]);
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(succeeds(&["db", "stats", "--datadir", &data]).contains("head              430"));
    }
    let file = format!("{data}/chain/journal-00000.seg");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - bytes.len() / 16;
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();
    succeeds(&["db", "repair", "--datadir", &data]);
    assert_eq!(succeeds(&["db", "verify", "--datadir", &data]), "no faults\n");
    succeeds(&["import", "--datadir", &data, &small("chain.rlp.gz")]);
    assert!(succeeds(&["db", "stats", "--datadir", &data]).contains("head              430"));
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = Directory::new();
    let locked = directory.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    let writable = fs::write(format!("{locked}/probe"), b"").is_ok();
    if writable {
        // Root may write everywhere; a file in the way stops everybody.
        let file = directory.path("file");
        fs::write(&file, b"").unwrap();
        let below = format!("{file}/data");
        fails(&["init", "--datadir", &below, &small("genesis.json")], &["file/data"]);
    } else {
        let below = format!("{locked}/data");
        fails(&["init", "--datadir", &below, &small("genesis.json")], &["locked/data"]);
    }
}

struct Running(Child);

impl Running {
    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a node and returns it with the enode that it printed.
fn start(arguments: &[&str]) -> (Running, String) {
    let mut command = lesd(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let running = Running(child);
    let enode = output.lines().map(Result::unwrap).find(|line| line.starts_with("enode://"));
    (running, enode.expect("an enode"))
}

#[test]
fn a_node_holds_its_directory_and_port_and_ends_at_sigterm() {
    let directory = Directory::new();
    let data = directory.path("data");
    let (genesis, chain) = (small("genesis.json"), small("chain.rlp.gz"));
    let arguments =
        ["node", "--datadir", &data, "--genesis", &genesis, "--import", &chain, "--port", "0"];
    let (mut node, enode) = start(&arguments);
    let port = enode.rsplit(':').next().unwrap().to_owned();
    let pid = node.0.id().to_string();
    fails(&["db", "stats", "--datadir", &data], &[&pid]);
    fails(&["node", "--port", &port, "--addr", "0.0.0.0"], &[&port, "--port"]);
    node.signal("-TERM");
    let status = node.0.wait().unwrap();
    assert!(status.success(), "{status}");
    let (_again, same) = start(&["node", "--datadir", &data, "--port", "0"]);
    assert_eq!(same.split('@').next(), enode.split('@').next(), "the node key is kept");
}

#[test]
fn the_bundled_chain_needs_nothing() {
    let (mut node, enode) = start(&["node", "--port", "0", "--nodiscover"]);
    assert!(enode.ends_with("?discport=0"), "{enode}");
    node.signal("-INT");
    assert!(node.0.wait().unwrap().success());
    assert!(succeeds(&["genesis"]).contains("\"clique\""));
    assert!(succeeds(&["config", "--port", "7"]).contains("port = 7"));
}

#[test]
fn a_development_chain_prints_its_accounts_and_writes_what_a_client_needs() {
    let directory = Directory::new();
    let data = directory.path("my chain");
    let arguments =
        ["node", "--dev", "--dev.period", "0", "--dev.accounts", "2", "--port", "0", "--datadir"];
    let arguments: Vec<_> = arguments.into_iter().chain([data.as_str()]).collect();
    let (mut node, enode) = start(&arguments);
    assert!(enode.contains("@127.0.0.1:"), "{enode}");
    node.signal("-TERM");
    assert!(node.0.wait().unwrap().success());
    let file = |name: &str| fs::read_to_string(format!("{data}/dev/{name}")).unwrap();
    let printed = succeeds(&["genesis", "--dev", "--dev.accounts", "2"]);
    assert_eq!(file("genesis.json"), printed);
    assert!(printed.contains("70997970c51812dc3a010c7d01b50e0d17dc79c8"), "{printed}");
    let key = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d\n";
    assert_eq!((file("account-1.key").as_str(), file("password").as_str()), (key, "dev\n"));
    assert!(!Path::new(&format!("{data}/dev/account-2.key")).exists());
    fails(
        &["node", "--dev", "--dev.accounts", "3", "--port", "0", "--datadir", &data],
        &["with 2 accounts"],
    );
}

/// A Clique chain with so many accounts, in a directory with so many empty blocks.
fn many_accounts(genesis: &Path, directory: &str, length: u64) {
    let mut text: serde_json::Value = serde_json::from_str(&dev::genesis_file(1).unwrap()).unwrap();
    for account in 1..=10_000 {
        text["alloc"][format!("{account:040x}")] = serde_json::json!({ "balance": "1" });
    }
    fs::write(genesis, text.to_string()).unwrap();
    let (chain, _) = data_directory::init(Path::new(directory), genesis, false, 64 << 20).unwrap();
    let mut maker = BlockMaker::new(&chain).unwrap();
    let (writer, _thread) = ChainWriter::start(&chain, false, Vec::new()).unwrap();
    for number in 1..=length {
        let parent = maker.parent().unwrap();
        let block = maker.make(Period::new(5), &parent, 5 * number, Vec::new()).unwrap();
        writer.import_blocking(vec![block.unwrap()]).unwrap();
    }
}

#[test]
fn a_node_whose_store_refuses_to_write_ends_with_one_error() {
    let directory = Directory::new();
    let (genesis, source) = (directory.path("genesis.json"), directory.path("source"));
    many_accounts(Path::new(&genesis), &source, 300);
    let (_source, enode) = start(&["node", "--datadir", &source, "--port", "0", "--nodiscover"]);
    // Blocks of a shell have 512 bytes: the first limit is met by the journal of some 50 blocks. At
    // block 256 the store writes its key-value file, which has 2 MB of accounts already; no other
    // file is so long as the second.
    for (limit, file) in [(80, "journal-00000.seg"), (600, "kv.redb")] {
        let data = directory.path(file);
        succeeds(&["init", "--datadir", &data, &genesis]);
        // Without the signal the write fails.
        let limited = format!(r#"trap "" XFSZ; ulimit -f {limit}; exec "$0" "$@""#);
        let output = Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_lesd")])
            .args(["node", "--datadir", &data, "--port", "0", "--nodiscover"])
            .args(["--staticpeers", &enode])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        let own: Vec<_> = errors.lines().filter(|line| line.starts_with("lesd: ")).collect();
        assert_eq!(own.len(), 1, "{errors}");
        let named = format!("{data}/chain/{file} (allow larger files and start again; nothing");
        assert!(own[0].contains(&named), "{errors}");
        assert_eq!(succeeds(&["db", "verify", "--datadir", &data]), "no faults\n");
    }
}

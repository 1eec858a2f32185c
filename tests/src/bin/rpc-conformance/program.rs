//! The two programs, started on the same chain.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

/// A start on two slow cores takes seconds; this many tenths of one are enough.
const START_STEPS: u32 = 600;

/// A running program and its socket; ends when dropped.
pub(crate) struct Program {
    child: Child,
    stream: BufReader<UnixStream>,
    asked: u64,
}

impl Program {
    fn start(command: &mut Command, socket: &Path, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        for _ in 0..START_STEPS {
            if let Ok(stream) = UnixStream::connect(socket) {
                stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                return Self { child, stream: BufReader::new(stream), asked: 0 };
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{command:?} ended: {status}");
            }
            pause();
        }
        let _gone = child.kill();
        panic!("{command:?} opened no socket");
    }

    /// The whole response.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let request =
            json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params });
        writeln!(self.stream.get_mut(), "{request}").unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{method} {params}: {error}: {line:?}"));
        assert_eq!(answer["id"], self.asked, "{method} {params}");
        answer.as_object_mut().unwrap().remove("id");
        answer
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

#[allow(clippy::disallowed_methods, reason = "another program starts in its own time")]
fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}

/// The chain's blocks, not compressed if go-ethereum is to read them under a name of its own.
fn blocks(chain: &Path) -> PathBuf {
    chain.join("chain.rlp.gz")
}

/// go-ethereum as an archive node without network.
pub(crate) fn geth(program: &Path, chain: &Path, scratch: &Path) -> Program {
    let directory = scratch.join("geth");
    let geth = || {
        let mut command = Command::new(program);
        command.arg("--datadir").arg(&directory);
        command
    };
    run(geth().arg("init").arg(chain.join("genesis.json")));
    run(geth().args(["--gcmode", "archive", "import"]).arg(blocks(chain)));
    let socket = scratch.join("geth.ipc");
    let mut command = geth();
    command
        .args(["--gcmode", "archive", "--syncmode", "full", "--networkid", "1337", "--nodiscover"])
        .args(["--port", "0", "--authrpc.port", "0", "--nat", "none", "--ipcpath"])
        .arg(&socket);
    Program::start(&mut command, &socket, &scratch.join("geth.log"))
}

/// `lesd` on the same blocks, with all states.
pub(crate) fn lesd(program: &Path, chain: &Path, scratch: &Path) -> Program {
    let socket = scratch.join("lesd.ipc");
    let mut command = Command::new(program);
    command
        .args(["node", "--archive", "--addr", "127.0.0.1", "--port", "0", "--nodiscover"])
        .arg("--datadir")
        .arg(scratch.join("lesd"))
        .arg("--genesis")
        .arg(chain.join("genesis.json"))
        .arg("--import")
        .arg(blocks(chain))
        .arg("--ipcpath")
        .arg(&socket);
    Program::start(&mut command, &socket, &scratch.join("lesd.log"))
}

//! The program. Everything is in the library.
#![forbid(unsafe_code)]

fn main() {
    std::process::exit(lesd::commands::main());
}

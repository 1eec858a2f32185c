//! The program. Everything is in the library.
#![forbid(unsafe_code)]

/// An import allocates small things without end; this saves 5 % of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    std::process::exit(lesd::commands::main());
}

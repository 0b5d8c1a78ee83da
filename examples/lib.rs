//! Small programs to read and run: `cargo run -p yanxiu-examples --example county`.

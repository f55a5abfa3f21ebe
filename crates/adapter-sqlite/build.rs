//! Has the migrations embedded anew when they change, which cargo does not see by itself.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/sqlite");
}

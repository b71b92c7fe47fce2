# Short names for the commands in CONTRIBUTING.md. https://just.systems runs them: `just test wire::`.

# List the recipes.
default:
    @just --list

# Run everything that has to pass.
ci:
    .ci/run

# Run the tests, or those that `filter` selects.
test *filter:
    cargo test {{filter}}

# Run the slow tests, or those that `filter` selects.
test-slow *filter:
    cargo test --test main -- --ignored {{filter}}

# Run the benches, or those that `arguments` name, such as `--bench codec`.
bench *arguments:
    cargo bench {{arguments}}

# Build the Debian package into target/.
deb:
    packaging/deb/build --out target

# Format all Rust code.
fmt:
    cargo fmt --all

//! [`macro@needs`]: shows a test as ignored if a tool that it drives was not installed when the test was built.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

#[expect(dead_code, reason = "`has_tool` is for the expansions")]
mod tools;

/// The source of the functions that the expansions call.
const TOOLS: &str = include_str!("tools.rs");

/// Names the tools that a test drives: `#[needs("nc", "python3")]`, above `#[test]`.
///
/// If one of them is not installed when the test is built, the test is ignored, unless `ARAUTO_REQUIRE_TOOLS=1` is set.
/// The test checks again when it runs, as by [`has_tool!`]. Cargo builds the test again if `PATH` or that variable
/// changes, and not if a tool is installed. A name that contains a slash is a path, relative to the workspace's folder.
/// `"root"` stands for the right to make network namespaces and mounts. A test that needs it is ignored without it, also
/// if `ARAUTO_REQUIRE_TOOLS=1` is set.
#[proc_macro_attribute]
pub fn needs(names: TokenStream, test: TokenStream) -> TokenStream {
    let (names, mut test) = (names.to_string(), Vec::from_iter(test));
    let is_above = matches!(test.first(), Some(TokenTree::Punct(mark)) if mark.as_char() == '#');
    let Some(TokenTree::Group(body)) = test.pop().filter(|_| is_above) else {
        return tokens("compile_error!(\"`needs` stands above `#[test]`\");");
    };
    // A test can be ignored for one reason only.
    let is_ignored = test.iter().any(|token| token.to_string().starts_with("[ignore"));
    let mut names_of_tools = names.split(',').map(|name| name.trim().trim_matches('"'));
    let may_miss = |name: &&str| *name == tools::ROOT || !tools::is_required();
    let missing =
        names_of_tools.find(|name| !name.is_empty() && may_miss(name) && !tools::is_installed(name));
    let ignore = match missing.filter(|_| !is_ignored) {
        Some(tools::ROOT) => "#[ignore = \"the tests were not built as root\"]".to_owned(),
        Some(name) => format!("#[ignore = \"{name} was not installed when the tests were built\"]"),
        None => String::new(),
    };
    let check = format!(
        "const _: [Option<&str>; 2] = [option_env!(\"ARAUTO_REQUIRE_TOOLS\"), option_env!(\"PATH\")];
         {TOOLS}
         if ![{names}].into_iter().all(has_tool) {{ return; }}"
    );
    let body = tokens(&check).into_iter().chain(body.stream()).collect();
    test.push(Group::new(Delimiter::Brace, body).into());
    tokens(&ignore).into_iter().chain(test).collect()
}

/// Expands to whether the tool of this name is installed, for tests that need it for a part of what they show.
///
/// Panics if it is not installed and `ARAUTO_REQUIRE_TOOLS=1` is set.
#[proc_macro]
pub fn has_tool(name: TokenStream) -> TokenStream {
    tokens(&format!("{{ {TOOLS} has_tool({name}) }}"))
}

fn tokens(source: &str) -> TokenStream {
    source.parse().expect("Rust")
}

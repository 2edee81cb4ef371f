//! Modules of one folder must not use each other in a cycle.
//!
//! Each path that begins with `crate`, `super` or `self`, or with a name that such a path imports, is resolved to the
//! module that defines the item. Re-exports are followed to their source. A module that uses another module of the same
//! folder, or something below it, makes an edge of the folder's graph. Code that is compiled only for tests is left
//! out. An `impl` block in another module makes no edge, and a path that a macro builds is not seen.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Attribute, ImplItem, Item, Meta, Token, UseTree, Visibility,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// The longest chain of re-exports that is followed.
const MAX_REEXPORTS: usize = 8;

/// A path from the root of a crate: of a module, or of an item.
type Path = Vec<String>;

/// For each folder the edges between its modules, with the first use that made the edge.
type Graphs = BTreeMap<Path, BTreeMap<(String, String), String>>;

/// The modules of one crate and the paths that they use.
#[derive(Default)]
struct Modules {
    names: BTreeSet<Path>,
    /// What each module imports or re-exports: the name, and the path behind it.
    imports: BTreeMap<Path, BTreeMap<String, Path>>,
    /// The using module and the path that it uses.
    uses: Vec<(Path, Path)>,
}

/// Modules that use each other in a cycle.
struct Cycle {
    folder: Path,
    modules: BTreeSet<String>,
    /// The edges within the cycle, one a line.
    edges: String,
}

/// Collects the paths that one file uses.
struct PathCollector<'m> {
    module: Path,
    imports: BTreeMap<String, Path>,
    uses: &'m mut Vec<(Path, Path)>,
}

/// Whether a meta item is `test` or `all(test, …)`.
fn is_test_condition(meta: &Meta) -> bool {
    match meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(is_test_condition)),
        _ => false,
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|meta| is_test_condition(&meta))
    })
}

/// The path from the root of the crate of `segments`, which are written in `module`. `None` for a path that does not
/// begin with `crate`, `self` or `super`.
fn absolute(module: &[String], segments: &[String]) -> Option<Path> {
    let (first, mut rest) = segments.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Path::new(),
        "self" => module.to_vec(),
        "super" => module.split_last()?.1.to_vec(),
        _ => return None,
    };
    while let Some((first, more)) = rest.split_first()
        && first == "super"
    {
        base.pop()?;
        rest = more;
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// Adds each path of a `use` declaration with the name that it is imported as. The name of a glob is `*`, and its path
/// is that of the module.
fn expand(tree: &UseTree, mut prefix: Path, found: &mut Vec<(Path, String)>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            expand(&path.tree, prefix, found);
        }
        UseTree::Name(name) if name.ident == "self" => {
            let last = prefix.last().cloned().unwrap_or_default();
            found.push((prefix, last));
        }
        UseTree::Name(name) => {
            prefix.push(name.ident.to_string());
            found.push((prefix, name.ident.to_string()));
        }
        UseTree::Rename(rename) => {
            prefix.push(rename.ident.to_string());
            found.push((prefix, rename.rename.to_string()));
        }
        UseTree::Glob(_) => found.push((prefix, "*".to_owned())),
        UseTree::Group(group) => group.items.iter().for_each(|item| expand(item, prefix.clone(), found)),
    }
}

/// The paths in the text of tokens that the parser does not read: arguments of macros and of attributes.
fn paths_in_tokens(tokens: &str) -> impl Iterator<Item = Path> {
    let text = tokens.replace(" ::", "::").replace(":: ", "::");
    let words: Vec<_> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| ["crate::", "self::", "super::"].iter().any(|start| word.starts_with(start)))
        .map(|word| word.split("::").map(str::to_owned).collect())
        .collect();
    words.into_iter()
}

impl PathCollector<'_> {
    fn add(&mut self, segments: &[String]) {
        let imported = segments.split_first().and_then(|(first, rest)| {
            let import = self.imports.get(first).filter(|_| !rest.is_empty())?;
            Some([import.as_slice(), rest].concat())
        });
        if let Some(path) = absolute(&self.module, segments).or(imported) {
            self.uses.push((self.module.clone(), path));
        }
    }
}

impl<'ast> Visit<'ast> for PathCollector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Const(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Macro(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(function) if is_for_tests(&function.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut found = Vec::new();
        expand(&item.tree, Path::new(), &mut found);
        for (segments, _) in found {
            self.add(&segments);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        paths_in_tokens(&called.tokens.to_string()).for_each(|path| self.add(&path));
        visit::visit_macro(self, called);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // Links in doc comments are no dependencies.
        if let Meta::List(list) = &attribute.meta {
            paths_in_tokens(&list.tokens.to_string()).for_each(|path| self.add(&path));
        }
    }
}

impl Modules {
    fn of(sources: &[(&str, &str)]) -> Self {
        let mut modules = Self::default();
        for (path, text) in sources {
            modules.add(path, text);
        }
        modules
    }

    /// Adds the file at `path`, relative to `src/`.
    fn add(&mut self, path: &str, text: &str) {
        let mut module: Path = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.iter().any(|part| part == "tests") {
            return;
        }
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut imports = BTreeMap::new();
        for item in &file.items {
            let Item::Use(item) = item else { continue };
            if is_for_tests(&item.attrs) {
                continue;
            }
            let mut found = Vec::new();
            expand(&item.tree, Path::new(), &mut found);
            for (mut segments, name) in found {
                let is_public = !matches!(item.vis, Visibility::Inherited);
                assert!(!is_public || name != "*", "{path}: name the items, a glob hides the modules that define them");
                // A path in a module's root may begin with the name of a child.
                if absolute(&module, &segments).is_none() {
                    segments.insert(0, "self".to_owned());
                }
                imports.extend(absolute(&module, &segments).map(|target| (name, target)));
            }
        }
        PathCollector { module: module.clone(), imports: imports.clone(), uses: &mut self.uses }.visit_file(&file);
        self.imports.entry(module.clone()).or_default().extend(imports);
        self.names.insert(module);
    }

    /// The module that defines the item at `path`.
    fn resolve(&self, path: &[String], reexports: usize) -> Path {
        let mut module = Path::new();
        for (at, segment) in path.iter().enumerate() {
            let child = [module.as_slice(), std::slice::from_ref(segment)].concat();
            if self.names.contains(&child) {
                module = child;
                continue;
            }
            if let Some(source) = self.imports.get(&module).and_then(|imports| imports.get(segment))
                && reexports < MAX_REEXPORTS
            {
                return self.resolve(&[source.as_slice(), &path[at + 1..]].concat(), reexports + 1);
            }
            break;
        }
        module
    }

    fn graphs(&self) -> Graphs {
        let mut graphs = Graphs::new();
        for (from, path) in &self.uses {
            let to = self.resolve(path, 0);
            let shared = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
            if let (Some(user), Some(used)) = (from.get(shared), to.get(shared)) {
                let item = path.last().map_or("", String::as_str);
                graphs
                    .entry(from[..shared].to_vec())
                    .or_default()
                    .entry((user.clone(), used.clone()))
                    .or_insert_with(|| format!("{} uses {item} of {}", from.join("::"), to.join("::")));
            }
        }
        graphs
    }

    /// The strongly connected components of more than one module.
    fn cycles(&self) -> Vec<Cycle> {
        let mut cycles = Vec::new();
        for (folder, edges) in self.graphs() {
            let mut left: BTreeSet<&String> = edges.keys().map(|(user, _)| user).collect();
            while let Some(start) = left.pop_first() {
                let uses = |(user, used): &(String, String)| (user.clone(), used.clone());
                let used_by = |(user, used): &(String, String)| (used.clone(), user.clone());
                let mut modules = reachable(start, edges.keys().map(uses).collect());
                let users = reachable(start, edges.keys().map(used_by).collect());
                modules.retain(|module| users.contains(module));
                left.retain(|module| !modules.contains(*module));
                if modules.len() > 1 {
                    let inside =
                        edges.iter().filter(|((user, used), _)| modules.contains(user) && modules.contains(used));
                    let edges =
                        inside.map(|((user, used), example)| format!("  {user} -> {used}: {example}\n")).collect();
                    cycles.push(Cycle { folder: folder.clone(), modules, edges });
                }
            }
        }
        cycles
    }
}

/// The modules that edges lead to from `start`, in one step or more.
fn reachable(start: &str, edges: BTreeSet<(String, String)>) -> BTreeSet<String> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![start.to_owned()]);
    while let Some(module) = open.pop() {
        let next = edges.iter().filter(|(from, _)| *from == module).map(|(_, to)| to);
        open.extend(next.filter(|to| seen.insert((*to).clone())).cloned());
    }
    seen
}

#[test]
fn modules_have_no_cycles() {
    let mut found = String::new();
    for (name, sources) in super::crate_sources() {
        let sources: Vec<_> = sources.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        for Cycle { folder, modules, edges } in Modules::of(&sources).cycles() {
            let (folder, modules) = (folder.join("/"), modules.into_iter().collect::<Vec<_>>().join(" "));
            found.push_str(&format!("{name}, folder {folder:?}: {modules}\n{edges}"));
        }
    }
    assert!(found.is_empty(), "modules use each other in a cycle:\n{found}");
}

mod tests {
    use super::*;

    /// The cycles between `a` and `b`, as text.
    fn cycles(a: &str, b: &str) -> Vec<String> {
        let root = "mod a; mod b; pub use a::Left; pub use self::b::{Right, helper as renamed};";
        let found = Modules::of(&[("lib.rs", root), ("a.rs", a), ("b.rs", b)]).cycles();
        found.into_iter().map(|cycle| cycle.modules.into_iter().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_cycle_is_found_in_each_form_of_a_path() {
        let left = "use crate::b::{inner::{Deep, self}, Right}; pub struct Left;";
        for back in [
            "use crate::a::Left;",
            "use super::Left;",
            "fn f(_: super::Left) {}",
            "use crate::a; fn f() { a::run() }",
            "fn f() { println!(\"{:?}\", crate::a::Left) }",
            "mod inner { use super::super::a::Left; }",
            "#[derive(Serialize)] #[serde(default = \"crate::a::left\")] struct Right;",
            "struct Right; impl Right { #[cfg(any(test, windows))] fn f(_: crate::Left) {} }",
        ] {
            assert_eq!(cycles(left, back), ["a b"], "{back}");
        }
        assert_eq!(cycles("use crate::renamed;", "use super::Left;"), ["a b"]);
    }

    #[test]
    fn tests_comments_and_uses_in_one_direction_make_no_cycle() {
        let left = "use crate::Right; pub struct Left;";
        for back in [
            "pub struct Right;",
            "/// See [`crate::a::Left`].\npub struct Right; // crate::a::Left",
            "#[cfg(test)] mod tests { use crate::Left; }",
            "#[cfg(all(test, unix))] use crate::Left;",
            "impl Right { #[cfg(test)] fn f(_: crate::Left) {} }",
            "mod inner { use super::Right; }",
        ] {
            assert_eq!(cycles(left, back), Vec::<String>::new(), "{back}");
        }
    }

    #[test]
    fn a_file_counts_as_the_child_of_the_folder_that_holds_it() {
        let sources = [
            ("lib.rs", "mod left; mod right;"),
            ("left/mod.rs", "mod deep; pub use deep::Deep;"),
            ("left/deep.rs", "use crate::right::Right; pub struct Deep;"),
            ("right.rs", "use crate::left::Deep; pub struct Right;"),
        ];
        let cycles = Modules::of(&sources).cycles();
        assert_eq!(cycles.len(), 1);
        assert_eq!(cycles[0].folder, Path::new());
        assert_eq!(
            cycles[0].edges,
            "  left -> right: left::deep uses Right of right\n  right -> left: right uses Deep of left::deep\n"
        );
    }
}

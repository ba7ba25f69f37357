//! The module tree of one target: every module, the names in it, and where each comes from.

use std::collections::{BTreeMap, BTreeSet};

use syn::punctuated::Punctuated;
use syn::{
    Attribute, ImplItem, Item, ItemImpl, ItemMod, ItemUse, Meta, Token, UseTree, Visibility,
};

use crate::sources::Sources;

pub(crate) type ModuleId = usize;

/// The modules of one target; the first is the root.
pub(crate) struct Modules {
    all: Vec<Module>,
    code: Code,
    /// The files that define an associated item in an `impl` of the type itself, by type and name.
    associated: BTreeMap<(Found, String), BTreeSet<String>>,
}

/// The part of the code that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    All,
    /// All code except tests.
    WithoutTests,
}

/// A module, or a block of a function that defines items.
pub(crate) struct Module {
    pub(crate) file: String,
    parent: Parent,
    names: BTreeMap<String, Vec<Name>>,
    globs: Vec<Vec<String>>,
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, Copy)]
enum Parent {
    None,
    Module(ModuleId),
    /// For a block: the scope around it, whose names it sees.
    Scope(ModuleId),
}

enum Name {
    Item { variants: Vec<String> },
    Module(ModuleId),
    Import(Vec<String>),
}

/// An item or a module that a path leads to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    Module(ModuleId),
    Item { module: ModuleId, name: String },
}

/// One path that a `use` item brings into scope.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// The name in scope; `None` for a glob.
    name: Option<String>,
}

/// The imports that the current resolution is inside of. Without this set, circular imports would
/// never end.
type Followed = BTreeSet<(ModuleId, String)>;

impl Modules {
    /// Reads a target from its root file on.
    pub(crate) fn read(root: &str, sources: &Sources, code: Code) -> Self {
        let mut modules = Self { all: Vec::new(), code, associated: BTreeMap::new() };
        modules.add_file(root, folder_of(root), Parent::None, sources);
        modules.add_associated();
        modules
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ModuleId> + use<> {
        0..self.all.len()
    }

    pub(crate) fn get(&self, id: ModuleId) -> &Module {
        &self.all[id]
    }

    pub(crate) fn take_items(&mut self, id: ModuleId) -> Vec<Item> {
        std::mem::take(&mut self.all[id].items)
    }

    /// Returns the files of the modules.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|module| module.file.as_str())
    }

    fn reads(&self, attributes: &[Attribute]) -> bool {
        self.code == Code::All || !is_test(attributes)
    }

    /// Adds a file; `folder` is where the files of its child modules are.
    fn add_file(
        &mut self,
        file: &str,
        folder: &str,
        parent: Parent,
        sources: &Sources,
    ) -> ModuleId {
        let text = sources.get(file).unwrap_or_else(|| panic!("no file {file}"));
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let id = self.add_scope(file, parent, &parsed.items);
        self.add_children(id, folder, &parsed.items, sources);
        self.all[id].items = parsed.items;
        id
    }

    fn add_associated(&mut self) {
        let mut associated: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (id, module) in self.all.iter().enumerate() {
            for item in &module.items {
                let Item::Impl(item) = item else { continue };
                let Some(owner) = self.type_of(id, item) else { continue };
                if item.trait_.is_some() || !self.reads(&item.attrs) {
                    continue;
                }
                for name in item.items.iter().filter_map(associated_name) {
                    let files = associated.entry((owner.clone(), name)).or_default();
                    files.insert(module.file.clone());
                }
            }
        }
        self.associated = associated;
    }

    /// Returns the type of this target that an `impl` block is for.
    pub(crate) fn type_of(&self, scope: ModuleId, item: &ItemImpl) -> Option<Found> {
        let syn::Type::Path(path) = &*item.self_ty else { return None };
        let path: Vec<String> =
            path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.resolve(scope, &path).into_iter().find(|found| matches!(found, Found::Item { .. }))
    }

    /// Returns the files that define an associated item of a type, other than by a trait.
    pub(crate) fn files_of_associated(&self, owner: &Found, name: &str) -> BTreeSet<String> {
        self.associated.get(&(owner.clone(), name.to_owned())).cloned().unwrap_or_default()
    }

    /// Adds a block of a function, with the items in it.
    pub(crate) fn add_block(&mut self, scope: ModuleId, items: &[Item]) -> ModuleId {
        let file = self.all[scope].file.clone();
        self.add_scope(&file, Parent::Scope(scope), items)
    }

    fn add_scope(&mut self, file: &str, parent: Parent, items: &[Item]) -> ModuleId {
        let (names, globs) = (BTreeMap::new(), Vec::new());
        let mut module = Module { file: file.to_owned(), parent, names, globs, items: Vec::new() };
        for item in items.iter().filter(|item| self.reads(attributes(item))) {
            module.add_names(item);
        }
        self.all.push(module);
        self.all.len() - 1
    }

    fn add_children(&mut self, id: ModuleId, folder: &str, items: &[Item], sources: &Sources) {
        for item in items {
            let Item::Mod(item) = item else { continue };
            if !self.reads(&item.attrs) {
                continue;
            }
            let name = item.ident.to_string();
            let inside = format!("{folder}/{name}");
            let child = if let Some((_, items)) = &item.content {
                let file = self.all[id].file.clone();
                let child = self.add_scope(&file, Parent::Module(id), items);
                self.add_children(child, &inside, items, sources);
                self.all[child].items.clone_from(items);
                child
            } else {
                let (file, folder) = self.file_of(id, item, folder, sources);
                // Fuzz targets and benches have files of integration tests as modules, by path.
                if path_attribute(&item.attrs).is_some() && !sources.contains_key(&file) {
                    continue;
                }
                self.add_file(&file, &folder, Parent::Module(id), sources)
            };
            self.all[id].add_name(name, Name::Module(child));
        }
    }

    /// Returns the file of a child module, and the folder of that module's own children.
    fn file_of(
        &self,
        parent: ModuleId,
        item: &ItemMod,
        folder: &str,
        sources: &Sources,
    ) -> (String, String) {
        if let Some(path) = path_attribute(&item.attrs) {
            let file = joined(folder_of(&self.all[parent].file), &path);
            let folder = folder_of(&file).to_owned();
            return (file, folder);
        }
        let folder = format!("{folder}/{}", item.ident);
        let file = format!("{folder}.rs");
        if sources.contains_key(&file) {
            (file, folder)
        } else {
            (format!("{folder}/mod.rs"), folder)
        }
    }

    /// Returns the items and modules that `path` leads to from inside `scope`. Paths into other
    /// crates lead nowhere.
    pub(crate) fn resolve(&self, scope: ModuleId, path: &[String]) -> BTreeSet<Found> {
        self.follow(scope, path, &mut Followed::new())
    }

    fn follow(&self, scope: ModuleId, path: &[String], inside: &mut Followed) -> BTreeSet<Found> {
        let Some((first, mut rest)) = path.split_first() else { return BTreeSet::new() };
        let mut found = match first.as_str() {
            "crate" | "$crate" => BTreeSet::from([Found::Module(0)]),
            "self" => BTreeSet::from([Found::Module(self.module_of(scope))]),
            "super" => self.parent_of(scope).map(Found::Module).into_iter().collect(),
            name => self.find_in_scopes(scope, name, inside),
        };
        while let Some((name, after)) = rest.split_first() {
            let modules = found.iter().filter_map(|found| match found {
                Found::Module(module) => Some(*module),
                Found::Item { .. } => None,
            });
            let next: BTreeSet<Found> = if name == "super" {
                modules.filter_map(|module| self.parent_of(module)).map(Found::Module).collect()
            } else {
                modules.flat_map(|module| self.find(module, name, inside)).collect()
            };
            if next.is_empty() {
                // The rest names something inside an item: a variant, or an associated function.
                found.retain(|found| matches!(found, Found::Item { .. }));
                break;
            }
            (found, rest) = (next, after);
        }
        found
    }

    /// Looks a name up in a block, then in the scopes around it, up to its module.
    fn find_in_scopes(
        &self,
        scope: ModuleId,
        name: &str,
        inside: &mut Followed,
    ) -> BTreeSet<Found> {
        let found = self.find(scope, name, inside);
        match self.all[scope].parent {
            Parent::Scope(around) if found.is_empty() => self.find_in_scopes(around, name, inside),
            _ => found,
        }
    }

    /// Looks a name up in one module: first what has that name there, then the globs.
    fn find(&self, id: ModuleId, name: &str, inside: &mut Followed) -> BTreeSet<Found> {
        let module = &self.all[id];
        let mut found = BTreeSet::new();
        for known in module.names.get(name).into_iter().flatten() {
            match known {
                Name::Item { .. } => {
                    found.insert(Found::Item { module: id, name: name.to_owned() });
                }
                Name::Module(child) => {
                    found.insert(Found::Module(*child));
                }
                Name::Import(path) => {
                    let key = (id, name.to_owned());
                    if inside.insert(key.clone()) {
                        found.extend(self.follow(id, path, inside));
                        inside.remove(&key);
                    }
                }
            }
        }
        let key = (id, format!("{name} in a glob"));
        if found.is_empty() && inside.insert(key.clone()) {
            for glob in &module.globs {
                for target in self.follow(id, glob, inside) {
                    found.extend(self.find_in_glob(&target, name, inside));
                }
            }
            inside.remove(&key);
        }
        found
    }

    fn find_in_glob(&self, glob: &Found, name: &str, inside: &mut Followed) -> BTreeSet<Found> {
        match glob {
            Found::Module(module) => self.find(*module, name, inside),
            Found::Item { module, name: item } => {
                let known = self.all[*module].names.get(item).into_iter().flatten();
                let is_variant = |known: &Name| match known {
                    Name::Item { variants } => variants.iter().any(|variant| variant == name),
                    _ => false,
                };
                known.filter(|known| is_variant(known)).map(|_| glob.clone()).collect()
            }
        }
    }

    /// Returns the module that a scope is in: itself, unless it is a block.
    fn module_of(&self, scope: ModuleId) -> ModuleId {
        match self.all[scope].parent {
            Parent::Scope(around) => self.module_of(around),
            Parent::None | Parent::Module(_) => scope,
        }
    }

    fn parent_of(&self, scope: ModuleId) -> Option<ModuleId> {
        match self.all[self.module_of(scope)].parent {
            Parent::Module(parent) => Some(parent),
            Parent::None | Parent::Scope(_) => None,
        }
    }
}

impl Module {
    fn add_name(&mut self, name: String, known: Name) {
        self.names.entry(name).or_default().push(known);
    }

    fn add_names(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => {
                let variants = item.variants.iter().map(|item| item.ident.to_string()).collect();
                return self.add_name(item.ident.to_string(), Name::Item { variants });
            }
            Item::Fn(item) => &item.sig.ident,
            Item::Macro(item) => match &item.ident {
                Some(ident) => ident,
                None => return,
            },
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Use(item) => {
                for import in imports(item) {
                    match import.name {
                        Some(name) => self.add_name(name, Name::Import(import.path)),
                        None => self.globs.push(import.path),
                    }
                }
                return;
            }
            _ => return,
        };
        self.add_name(name.to_string(), Name::Item { variants: Vec::new() });
    }
}

fn associated_name(item: &ImplItem) -> Option<String> {
    match item {
        ImplItem::Const(item) => Some(item.ident.to_string()),
        ImplItem::Fn(item) => Some(item.sig.ident.to_string()),
        _ => None,
    }
}

/// Returns what a `use` item brings into scope; nothing for a path that starts with `::`.
pub(crate) fn imports(item: &ItemUse) -> Vec<Import> {
    let mut imports = Vec::new();
    if item.leading_colon.is_none() {
        add_imports(&item.tree, &mut Vec::new(), &mut imports);
    }
    imports
}

fn add_imports(tree: &UseTree, before: &mut Vec<String>, imports: &mut Vec<Import>) {
    let mut add = |last: String, name: Option<String>| {
        let mut path = before.clone();
        // `use a::{self}` names `a`.
        if last != "self" || path.is_empty() {
            path.push(last);
        }
        let name = name.or_else(|| path.last().cloned());
        imports.push(Import { path, name });
    };
    match tree {
        UseTree::Path(tree) => {
            before.push(tree.ident.to_string());
            add_imports(&tree.tree, before, imports);
            before.pop();
        }
        UseTree::Name(tree) => add(tree.ident.to_string(), None),
        UseTree::Rename(tree) => add(tree.ident.to_string(), Some(tree.rename.to_string())),
        UseTree::Glob(_) => imports.push(Import { path: before.clone(), name: None }),
        UseTree::Group(tree) => {
            for tree in &tree.items {
                add_imports(tree, before, imports);
            }
        }
    }
}

impl Import {
    pub(crate) fn is_glob(&self) -> bool {
        self.name.is_none()
    }
}

/// True for `pub use`, with whatever restriction.
pub(crate) fn is_reexport(item: &ItemUse) -> bool {
    !matches!(item.vis, Visibility::Inherited)
}

/// True for test code: `#[cfg(test)]`, `#[test]` and similar.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            return attribute.parse_args::<Meta>().is_ok_and(|condition| needs_test(&condition));
        }
        path.segments.last().is_some_and(|last| last.ident == "test" || last.ident == "bench")
    })
}

/// True for a condition that holds in tests only.
fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let inside = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let Ok(inside) = inside else { return false };
    if list.path.is_ident("all") {
        inside.iter().any(needs_test)
    } else {
        list.path.is_ident("any") && inside.iter().all(needs_test)
    }
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns the text of `#[path = "…"]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find(|attribute| attribute.path().is_ident("path")).and_then(|attribute| {
        let Meta::NameValue(meta) = &attribute.meta else { return None };
        let syn::Expr::Lit(value) = &meta.value else { return None };
        let syn::Lit::Str(text) = &value.lit else { return None };
        Some(text.value())
    })
}

fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Joins a folder and a relative path, which may have `..` in it.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

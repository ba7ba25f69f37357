//! The files that each file uses, by `use` or by a path.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ExprMethodCall, Field, ImplItem, Item, ItemImpl, Macro, Path, Stmt,
    Token, TraitItem, Visibility,
};

use crate::modules::{Code, Found, ModuleId, Modules, attributes, imports, is_reexport, is_test};
use crate::sources::Sources;

/// The names that one file uses of another, by the two files.
#[derive(Default)]
pub(crate) struct Uses {
    pub(crate) names: BTreeMap<(String, String), BTreeSet<String>>,
    /// Every file that was read; test files are left out.
    pub(crate) files: BTreeSet<String>,
}

impl Uses {
    /// Reads the targets with these root files.
    pub(crate) fn read<'a>(roots: impl IntoIterator<Item = &'a str>, sources: &Sources) -> Self {
        let mut uses = Self::default();
        for root in roots {
            let mut modules = Modules::read(root, sources, Code::WithoutTests);
            for id in modules.ids() {
                uses.files.insert(modules.get(id).file.clone());
                let items = modules.take_items(id);
                let mut reader =
                    Reader { modules: &mut modules, scope: id, owner: None, uses: &mut uses };
                for item in &items {
                    reader.visit_item(item);
                }
            }
        }
        uses
    }
}

/// Visits the code of one module.
struct Reader<'a> {
    modules: &'a mut Modules,
    scope: ModuleId,
    /// The type whose `impl` block is visited: `Self`.
    owner: Option<Found>,
    uses: &'a mut Uses,
}

impl Reader<'_> {
    /// Notes the items that a path leads to, if they are in other files.
    fn note(&mut self, path: &[String]) {
        if let [first, name] = path
            && first == "Self"
        {
            return self.note_associated(self.owner.clone().as_ref(), name);
        }
        for found in self.modules.resolve(self.scope, path) {
            let Found::Item { module, name } = &found else { continue };
            self.add(&self.modules.get(*module).file.clone(), name);
            if let Some(last) = path.last() {
                self.note_associated(Some(&found), last);
            }
        }
    }

    /// Notes an associated item of a type, if an `impl` block in another file defines it.
    fn note_associated(&mut self, owner: Option<&Found>, name: &str) {
        let Some(owner) = owner else { return };
        for file in self.modules.files_of_associated(owner, name) {
            self.add(&file, name);
        }
    }

    fn add(&mut self, to: &str, name: &str) {
        let from = &self.modules.get(self.scope).file;
        if from != to {
            let arrow = (from.clone(), to.to_owned());
            self.uses.names.entry(arrow).or_default().insert(name.to_owned());
        }
    }

    /// Notes the paths in the tokens of a macro, as far as tokens show them.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        // True after a `::` that continues a path.
        let mut open = false;
        // True after a dot: a field or a method.
        let mut member = false;
        let mut tokens = tokens.into_iter();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) => {
                    if !open {
                        self.note(&std::mem::take(&mut path));
                    }
                    if !member {
                        path.push(ident.to_string());
                    }
                    (open, member) = (false, false);
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    // The first of two colons is joint with the second.
                    if punct.spacing() == Spacing::Joint {
                        tokens.next();
                        open = !path.is_empty();
                        // `::name` is of another crate.
                        member = !open;
                        continue;
                    }
                    // `name:` is a field.
                    path.clear();
                }
                TokenTree::Punct(punct) => member = punct.as_char() == '.',
                TokenTree::Group(group) => self.note_tokens(group.stream()),
                TokenTree::Literal(_) => {}
            }
            self.note(&std::mem::take(&mut path));
            open = false;
        }
        self.note(&path);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            item if is_test(attributes(item)) => {}
            // The module tree has an own entry for the module.
            Item::Mod(_) => {}
            Item::Use(item) if is_reexport(item) => {}
            Item::Use(item) => {
                for import in imports(item).iter().filter(|import| !import.is_glob()) {
                    self.note(&import.path);
                }
            }
            item => visit::visit_item(self, item),
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let owner = self.modules.type_of(self.scope, item);
        let around = std::mem::replace(&mut self.owner, owner);
        visit::visit_item_impl(self, item);
        self.owner = around;
    }

    /// Handles method calls on `self` only, because other receivers have no types here.
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self")) {
            self.note_associated(self.owner.clone().as_ref(), &call.method.to_string());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_test(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !matches!(item, TraitItem::Fn(item) if is_test(&item.attrs)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_test(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes = match statement {
            Stmt::Local(local) => &local.attrs,
            Stmt::Macro(called) => &called.attrs,
            Stmt::Expr(Expr::Call(call), _) => &call.attrs,
            Stmt::Expr(Expr::MethodCall(call), _) => &call.attrs,
            Stmt::Expr(Expr::Block(block), _) => &block.attrs,
            _ => return visit::visit_stmt(self, statement),
        };
        if !is_test(attributes) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let items = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item.clone()),
            _ => None,
        });
        let items: Vec<Item> = items.collect();
        let around = self.scope;
        if !items.is_empty() {
            self.scope = self.modules.add_block(around, &items);
        }
        visit::visit_block(self, block);
        self.scope = around;
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.note(&names_of(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.visit_path(&called.path);
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        match arguments.parse2(called.tokens.clone()) {
            Ok(arguments) => arguments.iter().for_each(|argument| self.visit_expr(argument)),
            Err(_) => self.note_tokens(called.tokens.clone()),
        }
    }

    /// Handles serde's attributes only: their strings are paths, as in `#[serde(default =
    /// "path::to::function")]`.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if !attribute.path().is_ident("serde") {
            return;
        }
        let syn::Meta::List(list) = &attribute.meta else { return };
        for token in list.tokens.clone() {
            let TokenTree::Literal(literal) = token else { continue };
            let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) else { continue };
            if let Ok(path) = text.parse::<Path>() {
                self.note(&names_of(&path));
            }
        }
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn names_of(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

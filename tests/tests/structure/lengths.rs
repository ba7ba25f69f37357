//! The length of each function.

use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, Item, ItemFn, Signature, TraitItemFn};

use crate::modules::{attributes, is_test};

/// A function and its lines, from its `fn` to its last brace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) name: String,
    pub(crate) lines: usize,
}

/// Returns the functions of a file that are not for tests only.
pub(crate) fn functions(text: &str) -> Vec<Length> {
    let mut reader = Reader::default();
    reader.visit_file(&syn::parse_file(text).unwrap());
    reader.lengths
}

#[derive(Default)]
struct Reader {
    lengths: Vec<Length>,
}

impl Reader {
    fn add(&mut self, signature: &Signature, block: &Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        let name = signature.ident.to_string();
        self.lengths.push(Length { name, lines: last - first + 1 });
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_test(&item.attrs) {
            self.add(&item.sig, &item.block);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
    }
}

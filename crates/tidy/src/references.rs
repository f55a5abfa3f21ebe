//! What the items of one module declare, import and mention.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemMod, ItemUse, Macro, Meta, UseTree,
    visit::{self, Visit},
};

/// The declarations of one module, and all paths that it mentions.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    /// Its modules, with their contents if they are inline.
    pub(crate) modules: Vec<(String, Option<Declarations>)>,
    /// Its other items.
    pub(crate) names: BTreeSet<String>,
    /// The paths of imported names.
    pub(crate) imports: BTreeMap<String, Vec<String>>,
    /// The paths whose contents are imported.
    pub(crate) globs: Vec<Vec<String>>,
    pub(crate) references: BTreeSet<Vec<String>>,
}

/// Reads the items of one module.
pub(crate) fn declarations(items: &[Item]) -> Declarations {
    let mut found = Declarations::default();
    for item in items {
        if let Some(name) = declared_name(item) {
            found.names.insert(name);
        }
        found.visit_item(item);
    }
    found
}

fn declared_name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

impl Declarations {
    fn import(&mut self, prefix: &[String], tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                let prefix = [prefix, &[path.ident.to_string()]].concat();
                self.import(&prefix, &path.tree);
            }
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = prefix.last() {
                    self.import_as(last.clone(), prefix.to_vec());
                }
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.import_as(name.clone(), [prefix, &[name]].concat());
            }
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.import_as(rename.rename.to_string(), prefix.to_vec());
            }
            UseTree::Rename(rename) => {
                let path = [prefix, &[rename.ident.to_string()]].concat();
                self.import_as(rename.rename.to_string(), path);
            }
            UseTree::Glob(_) => {
                self.references.insert(prefix.to_vec());
                self.globs.push(prefix.to_vec());
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(prefix, tree);
                }
            }
        }
    }

    fn import_as(&mut self, name: String, path: Vec<String>) {
        self.references.insert(path.clone());
        self.imports.insert(name, path);
    }

    /// Records the paths of several segments among tokens that are not parsed: arguments of macros
    /// and of attributes.
    fn scan(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Vec::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' && colons < 2 => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_path(&mut path);
                    }
                    path.push(ident.to_string());
                }
                TokenTree::Group(group) => {
                    self.end_path(&mut path);
                    self.scan(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end_path(&mut path),
            }
            colons = 0;
        }
        self.end_path(&mut path);
    }

    fn end_path(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.references.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Declarations {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        // A file that is not in the place of its module belongs to something else.
        if module.attrs.iter().any(|one| one.path().is_ident("path")) {
            return;
        }
        let content = module.content.as_ref();
        let inline = content.map(|(_, items)| declarations(items));
        self.modules.push((module.ident.to_string(), inline));
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter();
            let segments = segments.map(|segment| segment.ident.to_string());
            self.references.insert(segments.collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        self.scan(invocation.tokens.clone());
        visit::visit_macro(self, invocation);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }
}

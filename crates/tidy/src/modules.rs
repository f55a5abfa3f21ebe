//! The module tree of one crate, read from its sources, and the resolution of paths in it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};

use crate::references::{Declarations, declarations};

/// Names that are re-exported more often than this are taken for a loop.
const MAX_REEXPORTS: u8 = 16;

/// The modules of one crate root, `lib.rs` or `main.rs`.
#[derive(Debug)]
pub(crate) struct ModuleTree {
    modules: Vec<Module>,
}

#[derive(Debug)]
pub(crate) struct Module {
    /// The file that contains the module, relative to `src/`.
    pub(crate) file: String,
    parent: usize,
    children: BTreeMap<String, usize>,
    names: BTreeSet<String>,
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// All paths that the module mentions.
    pub(crate) references: BTreeSet<Vec<String>>,
}

/// What a path names.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    /// An item that this module declares.
    ItemOf(usize),
}

impl ModuleTree {
    /// Reads the modules that `root` declares; `sources` are texts by path, relative to `src/`.
    pub(crate) fn read(sources: &BTreeMap<String, String>, root: &str) -> anyhow::Result<Self> {
        let mut tree = Self {
            modules: Vec::new(),
        };
        let text = sources.get(root).context("the root is missing")?;
        tree.add_file(sources, root, "", 0, text)?;
        Ok(tree)
    }

    pub(crate) fn modules(&self) -> impl Iterator<Item = (usize, &Module)> {
        self.modules.iter().enumerate()
    }

    /// The file that defines what this path names in module `from`; `None` if it is outside the
    /// crate. Re-exports are followed to the definition.
    pub(crate) fn defining_file(&self, from: usize, path: &[String]) -> Option<&str> {
        let (Target::Module(module) | Target::ItemOf(module)) = self.resolve(from, path, 0)?;
        Some(&self.modules.get(module)?.file)
    }

    fn add_file(
        &mut self,
        sources: &BTreeMap<String, String>,
        file: &str,
        folder: &str,
        parent: usize,
        text: &str,
    ) -> anyhow::Result<usize> {
        let syntax = syn::parse_file(text).with_context(|| format!("{file} cannot be parsed"))?;
        self.add_module(sources, file, folder, parent, declarations(&syntax.items))
    }

    fn add_module(
        &mut self,
        sources: &BTreeMap<String, String>,
        file: &str,
        folder: &str,
        parent: usize,
        found: Declarations,
    ) -> anyhow::Result<usize> {
        let number = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            names: found.names,
            imports: found.imports,
            globs: found.globs,
            references: found.references,
        });
        for (name, inline) in found.modules {
            let folder = format!("{folder}{name}/");
            let child = if let Some(inline) = inline {
                self.add_module(sources, file, &folder, number, inline)?
            } else {
                let path = format!("{}.rs", folder.trim_end_matches('/'));
                let Some(text) = sources.get(&path) else {
                    bail!("{file} declares the module {name}, but {path} is missing");
                };
                self.add_file(sources, &path, &folder, number, text)?
            };
            if let Some(module) = self.modules.get_mut(number) {
                module.children.insert(name, child);
            }
        }
        Ok(number)
    }

    fn resolve(&self, from: usize, path: &[String], depth: u8) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules.get(from)?.parent),
            name => self.lookup(from, name, depth)?,
        };
        for segment in rest {
            let Target::Module(module) = target else {
                break;
            };
            target = match segment.as_str() {
                "self" => target,
                "super" => Target::Module(self.modules.get(module)?.parent),
                name => {
                    let found = self.lookup(module, name, depth);
                    // Made by a macro, or a re-export of another crate's item.
                    found.unwrap_or(Target::ItemOf(module))
                }
            };
        }
        Some(target)
    }

    fn lookup(&self, module: usize, name: &str, depth: u8) -> Option<Target> {
        let scope = self.modules.get(module)?;
        if depth > MAX_REEXPORTS {
            return None;
        }
        let depth = depth.saturating_add(1);
        if let Some(&child) = scope.children.get(name) {
            return Some(Target::Module(child));
        }
        if scope.names.contains(name) {
            return Some(Target::ItemOf(module));
        }
        if let Some(path) = scope.imports.get(name) {
            return self.resolve(module, path, depth);
        }
        scope.globs.iter().find_map(|path| {
            let Target::Module(source) = self.resolve(module, path, depth)? else {
                return None;
            };
            self.lookup(source, name, depth)
        })
    }
}

//! A file system in memory: names, owners, modes, symbolic links. No permissions are checked: all
//! who come here are root.

use std::collections::BTreeMap;

/// A file, a folder or a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// Last change, unix seconds.
    pub mtime: i64,
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file with its content.
    File(Vec<u8>),
    /// A folder with what is in it.
    Dir(BTreeMap<String, Node>),
    /// A symbolic link with its target.
    Link(String),
}

impl Node {
    /// An empty folder of root's.
    pub fn dir(mtime: i64) -> Self {
        Node {
            uid: 0,
            gid: 0,
            mode: 0o755,
            mtime,
            kind: Kind::Dir(BTreeMap::new()),
        }
    }

    /// A file of root's.
    pub fn file(content: impl Into<Vec<u8>>, mtime: i64) -> Self {
        Node {
            uid: 0,
            gid: 0,
            mode: 0o644,
            mtime,
            kind: Kind::File(content.into()),
        }
    }

    /// Files at and below it, in order: `path` and what is under it, and content.
    pub fn files(&self, path: &str, found: &mut Vec<(String, Vec<u8>)>) {
        match &self.kind {
            Kind::File(content) => found.push((path.to_owned(), content.clone())),
            _ => {
                for (name, child) in self.children().into_iter().flatten() {
                    child.files(&format!("{path}/{name}"), found);
                }
            }
        }
    }

    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        matches!(self.kind, Kind::Dir(_))
    }

    /// What is in it; `None` when it is no folder.
    pub fn children(&self) -> Option<&BTreeMap<String, Node>> {
        match &self.kind {
            Kind::Dir(children) => Some(children),
            _ => None,
        }
    }

    /// As [`Node::children`], to change it.
    pub fn children_mut(&mut self) -> Option<&mut BTreeMap<String, Node>> {
        match &mut self.kind {
            Kind::Dir(children) => Some(children),
            _ => None,
        }
    }
}

/// A whole file system.
#[derive(Debug, Clone)]
pub struct Tree {
    root: Node,
}

impl Default for Tree {
    fn default() -> Self {
        Tree { root: Node::dir(0) }
    }
}

/// The parts of a path that name something.
pub fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
}

impl Tree {
    /// The node at exactly that path; links are not followed, neither on the way nor at its end.
    pub fn get(&self, path: &str) -> Option<&Node> {
        parts(path).try_fold(&self.root, |node, part| node.children()?.get(part))
    }

    /// As [`Tree::get`], to change it.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut Node> {
        parts(path).try_fold(&mut self.root, |node, part| {
            node.children_mut()?.get_mut(part)
        })
    }

    /// The path with all links followed, the last one only if asked; `..` is taken after that.
    /// What does not exist is kept as it is. `None` for links that lead in a circle.
    pub fn resolve(&self, path: &str, follow_last: bool) -> Option<String> {
        resolve(path, follow_last, |path| match &self.get(path)?.kind {
            Kind::Link(target) => Some(target.clone()),
            _ => None,
        })
    }

    /// The node that a path leads to, links followed.
    pub fn open(&self, path: &str) -> Option<&Node> {
        self.get(&self.resolve(path, true)?)
    }

    /// The content of a file, links followed.
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        match &self.open(path)?.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }

    /// Puts a node at exactly that path, in place of what is there, and makes folders on the way.
    /// Nothing happens when something on the way is no folder.
    pub fn put(&mut self, path: &str, node: Node) {
        let mtime = node.mtime;
        let mut names: Vec<&str> = parts(path).collect();
        let Some(last) = names.pop() else { return };
        let mut at = &mut self.root;
        for name in names {
            let Some(children) = at.children_mut() else {
                return;
            };
            at = children
                .entry(name.to_owned())
                .or_insert_with(|| Node::dir(mtime));
        }
        if let Some(children) = at.children_mut() {
            children.insert(last.to_owned(), node);
        }
    }

    /// Makes a folder and those above it, where they are missing.
    pub fn make_dir(&mut self, path: &str, mtime: i64) {
        if self.get(path).is_none() {
            self.put(path, Node::dir(mtime));
        }
    }

    /// Takes away what is at exactly that path, with all in it.
    pub fn remove(&mut self, path: &str) -> Option<Node> {
        let (parent, name) = split(path)?;
        self.get_mut(&parent)?.children_mut()?.remove(name)
    }
}

/// Follows links, asking `link` for the target of a path that is one.
pub fn resolve(
    path: &str,
    follow_last: bool,
    link: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let mut todo: Vec<String> = parts(path).rev().map(str::to_owned).collect();
    let mut done: Vec<String> = Vec::new();
    let mut followed = 0;
    while let Some(part) = todo.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        done.push(part);
        if todo.is_empty() && !follow_last {
            break;
        }
        let Some(target) = link(&join(&done)) else {
            continue;
        };
        followed += 1;
        if followed > 40 {
            return None;
        }
        done.pop();
        if target.starts_with('/') {
            done.clear();
        }
        todo.extend(parts(&target).rev().map(str::to_owned));
    }
    Some(join(&done))
}

fn join(parts: &[String]) -> String {
    format!("/{}", parts.join("/"))
}

/// Folder and name of a path.
pub fn split(path: &str) -> Option<(String, &str)> {
    let name = parts(path).next_back()?;
    let above: Vec<&str> = parts(path).collect();
    Some((format!("/{}", above[..above.len() - 1].join("/")), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_as_far_as_asked() {
        let mut tree = Tree::default();
        tree.put("/srv/a/file", Node::file("x", 1));
        tree.put(
            "/srv/link",
            Node {
                kind: Kind::Link("a".into()),
                ..Node::file("", 1)
            },
        );
        tree.put(
            "/srv/a/up",
            Node {
                kind: Kind::Link("../a/file".into()),
                ..Node::file("", 1)
            },
        );
        tree.put(
            "/loop",
            Node {
                kind: Kind::Link("/loop".into()),
                ..Node::file("", 1)
            },
        );
        assert_eq!(tree.resolve("/srv/link/file", true).unwrap(), "/srv/a/file");
        assert_eq!(tree.resolve("/srv/link/up", true).unwrap(), "/srv/a/file");
        assert_eq!(tree.resolve("/srv/link", false).unwrap(), "/srv/link");
        assert_eq!(tree.resolve("/srv/../../x/./y", true).unwrap(), "/x/y");
        assert_eq!(tree.resolve("/loop/x", true), None);
        assert_eq!(tree.read("/srv/link/up"), Some(&b"x"[..]));
        assert_eq!(tree.read("/srv"), None);
    }

    #[test]
    fn put_makes_folders_and_remove_takes_all() {
        let mut tree = Tree::default();
        tree.put("/a/b/c", Node::file("1", 5));
        assert!(tree.get("/a/b").unwrap().is_dir());
        tree.put("/a/b/c/d", Node::file("1", 5));
        assert!(tree.get("/a/b/c/d").is_none());
        assert!(tree.remove("/a/b").is_some());
        assert!(tree.get("/a/b/c").is_none());
        assert!(tree.remove("/").is_none());
    }
}

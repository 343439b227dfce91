//! Taking Debian packages apart with `apt-get download` and `dpkg -x`: nothing is installed and no
//! script of a package runs.

use std::path::Path;

use anyhow::Context;

use crate::process;

/// The packages and the libraries they want that this machine lacks, all into one folder.
pub(super) fn unpack_with_libraries(packages: &[&str], folder: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(process::on_path("apt-get"), "no apt-get on this machine");
    let downloads = super::folder().join("packages");
    std::fs::create_dir_all(&downloads).context("creating target/lab")?;
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut libraries = Vec::new();
    for package in packages {
        fetch(package, &downloads, folder)?;
        libraries.extend(missing_libraries(package)?);
    }
    libraries.sort();
    libraries.dedup();
    for library in libraries {
        // A library that is in the wrong version or gone shows when the program starts.
        if let Err(error) = fetch(&library, &downloads, folder) {
            println!("lab: {library}: {error:#}");
        }
    }
    Ok(())
}

/// Downloads one package and takes it apart.
fn fetch(package: &str, downloads: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut apt = process::command("apt-get");
    apt.current_dir(downloads).args(["-q", "download", package]);
    if process::output_of(&mut apt).is_err() {
        // The list of packages may never have been fetched; that needs root.
        process::output_of(process::command("apt-get").args(["-q", "update"]))?;
        process::output_of(&mut apt)?;
    }
    for entry in std::fs::read_dir(downloads)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with(&format!("{package}_")) {
            process::output_of(process::command("dpkg").arg("-x").arg(&path).arg(folder))?;
        }
    }
    Ok(())
}

/// The libraries a package wants that this machine does not have.
fn missing_libraries(package: &str) -> anyhow::Result<Vec<String>> {
    let mut apt = process::command("apt-cache");
    apt.args([
        "depends",
        "--recurse",
        "--no-recommends",
        "--no-suggests",
        "--no-conflicts",
    ]);
    apt.args(["--no-breaks", "--no-replaces", "--no-enhances", package]);
    let listing = process::output_of(&mut apt)?;
    Ok(listing
        .lines()
        .filter(|line| line.starts_with("lib"))
        .map(|line| line.trim().to_owned())
        .filter(|name| !name.contains(':') && !is_for_installing(name) && !is_installed(name))
        .collect())
}

/// What only the packages' own scripts want, or what stands in for a library that is there.
fn is_for_installing(name: &str) -> bool {
    const NAMES: [&str; 4] = [
        "libdebian-installer4",
        "libelogind0",
        "libnewt0.52",
        "libtextwrap1",
    ];
    name.ends_with("-perl") || NAMES.contains(&name)
}

fn is_installed(package: &str) -> bool {
    let mut query = process::command("dpkg-query");
    query.args(["-W", "-f", "${Status}", package]);
    process::output_of(&mut query).is_ok_and(|status| status.ends_with(" installed"))
}

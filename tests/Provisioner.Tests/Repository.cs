using System.Runtime.CompilerServices;

namespace Provisioner.Tests;

/// <summary>Files of the repository that tests read: docs, templates, packaging.</summary>
internal static class Repository
{
    /// <summary>The repository's directory.</summary>
    public static string Root { get; } = Find();

    private static string Find([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}

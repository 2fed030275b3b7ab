using System.Collections.Immutable;

namespace Provisioner.Backup;

/// <summary>What is in a backup: its first entry, <c>manifest.json</c>. Everything else in it is named here with its SHA-256, and nothing else is in it.</summary>
internal sealed record BackupManifest
{
    public const string EntryName = "manifest.json";

    /// <summary>The form this version writes, and the newest it reads.</summary>
    public const int PresentFormat = 1;

    public const string RightKind = "provisioner-backup";

    public string Kind { get; init; } = "";

    public int Format { get; init; }

    /// <summary>The version of the program that made it.</summary>
    public string Version { get; init; } = "";

    public DateTimeOffset At { get; init; }

    /// <summary>The machine's name.</summary>
    public string Appliance { get; init; } = "";

    /// <summary>How many changes are in the database.</summary>
    public long Changes { get; init; }

    public int Hosts { get; init; }

    public int Certificates { get; init; }

    public int Authorities { get; init; }

    public ImmutableArray<BackupFile> Files { get; init; } = [];

    public ImmutableArray<BackupImage> Images { get; init; } = [];

    /// <summary>What restoring needs that is not in it, a sentence each.</summary>
    public ImmutableArray<string> Needs { get; init; } = [];
}

/// <summary>One file of a backup.</summary>
/// <param name="Path">With <c>/</c>: <c>data/…</c> for the data directory, <c>configuration.yaml</c> for the configuration.</param>
/// <param name="Sha256">Lower-case hexadecimal.</param>
/// <param name="Mode">Its permissions.</param>
internal sealed record BackupFile(string Path, long Size, string Sha256, int Mode)
{
    public const string DataPrefix = "data/";

    public const string Configuration = "configuration.yaml";

    /// <summary>Images are read and compared when a backup is verified, but not written a second time.</summary>
    public bool IsImage => Path.StartsWith(DataPrefix + "images/", StringComparison.Ordinal);
}

/// <summary>An image the database names.</summary>
/// <param name="Included">Its files are in the backup; otherwise they are to be imported again.</param>
internal sealed record BackupImage(string Name, int Files, long Size, bool Included);

/// <summary>A backup cannot be made, or not be restored. The message says why and what to do; it never holds a secret.</summary>
internal sealed class BackupException(string message, Exception? cause = null) : Exception(message, cause);

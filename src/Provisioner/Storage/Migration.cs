using LiteDB;

namespace Provisioner.Storage;

/// <summary>One step of the stored form. Runs before anything is read, on a database of the version before; a copy of the file is kept.</summary>
/// <param name="To">The version it leads to, one above the version it takes.</param>
/// <param name="Run">Safe to run again after it was cut short.</param>
internal sealed record Migration(int To, Action<LiteDatabase> Run)
{
    /// <summary>All steps, in order. A step is never changed once it was shipped.</summary>
    public static IReadOnlyList<Migration> All { get; } =
    [
        new(1, static _ => { }),
        // Authorities, certificates, reports and alerts: new collections, which a version that does not know them must not leave behind.
        new(2, static _ => { }),
        // People, their sessions, tokens.
        new(3, static _ => { }),
    ];
}

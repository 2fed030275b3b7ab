namespace Provisioner.Resources;

/// <summary>
/// One thing wrong in what a person gave: where, what was there, and what would be right. All mistakes of a request are reported at once.
/// </summary>
/// <param name="Message">What is wrong, as a sentence that stands alone.</param>
public sealed record Mistake(string Message)
{
    /// <summary>Which document of the text, counted from 1; null when it did not come from a text.</summary>
    public int? Document { get; init; }

    /// <summary>Counted from 1.</summary>
    public int? Line { get; init; }

    /// <summary>Counted from 1.</summary>
    public int? Column { get; init; }

    /// <summary>The key, such as <c>spec.macAddresses[1]</c>.</summary>
    public string? Path { get; init; }

    /// <summary>What was there, shortened.</summary>
    public string? Value { get; init; }

    /// <summary>What would be right.</summary>
    public string? Expected { get; init; }

    /// <summary>The same where there is no text that somebody wrote: line and column would be of one that was made for reading.</summary>
    public Mistake WithoutPlace() => this with { Document = null, Line = null, Column = null };

    /// <summary>One line for people: <c>line 4, column 9: spec.architecture: …</c>.</summary>
    public override string ToString()
    {
        var where = Line is null ? "" : $"line {Line}, column {Column}: ";
        var path = string.IsNullOrEmpty(Path) ? "" : $"{Path}: ";
        var expected = Expected is null ? "" : $". Expected: {Expected}.";
        return where + path + Message + expected;
    }
}

/// <summary>Why a change was refused, as far as an answer's status depends on it.</summary>
public enum RefusalKind
{
    /// <summary>What was asked is wrong in itself (HTTP 422).</summary>
    Invalid,

    /// <summary>It names something that is not there (HTTP 404).</summary>
    NotFound,

    /// <summary>It contradicts what is there: a MAC address or name in use, a resource still referenced, another version (HTTP 409).</summary>
    Conflict,

    /// <summary>It was made for a version that is no longer the stored one (HTTP 412).</summary>
    Outdated,

    /// <summary>Whoever asks may not do this (HTTP 403).</summary>
    Forbidden,
}

/// <summary>A change was refused with these mistakes; nothing was written.</summary>
public sealed class ChangeRefusedException : Exception
{
    public ChangeRefusedException(RefusalKind kind, IReadOnlyList<Mistake> mistakes)
        : base(string.Join('\n', mistakes))
    {
        Kind = kind;
        Mistakes = mistakes;
    }

    public ChangeRefusedException(RefusalKind kind, string message) : this(kind, [new Mistake(message)]) { }

    public RefusalKind Kind { get; }

    /// <summary>All of them, in the order of the documents.</summary>
    public IReadOnlyList<Mistake> Mistakes { get; }
}

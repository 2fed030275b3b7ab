namespace Provisioner.Appliance.Bus;

/// <summary>
/// A connection to the system's message bus (D-Bus), as far as this service needs one. The names are those of Tmds.DBus.Protocol, so that it
/// can take this interface's place.
/// </summary>
internal interface IBusConnection
{
    /// <summary>Why there is no connection; null while there is one.</summary>
    string? Problem { get; }

    /// <summary>Raised on the connection's thread each time there is a connection, or none any more. Handlers return at once.</summary>
    event Action? Changed;

    /// <summary>Calls a method.</summary>
    /// <returns>What the answer holds, one value for each of its arguments (<see cref="MessageReader"/> says of which types).</returns>
    /// <exception cref="BusException">It was refused, is not there, did not answer in time, or there is no bus.</exception>
    Task<IReadOnlyList<object?>> CallMethodAsync(MethodCall call, CancellationToken cancellation = default);

    /// <summary>Hears signals, also after the bus was gone and came back, until disposed of.</summary>
    /// <param name="rule">Which ones.</param>
    /// <param name="heard">Called on the connection's thread; returns at once.</param>
    IDisposable AddMatch(MatchRule rule, Action<Signal> heard);
}

/// <summary>A method of an object of a service.</summary>
/// <param name="Service">The service's name on the bus.</param>
/// <param name="Path">The object.</param>
/// <param name="Interface">The method's interface.</param>
/// <param name="Member">The method.</param>
internal sealed record MethodCall(string Service, string Path, string Interface, string Member)
{
    /// <summary>The types of <see cref="Arguments"/>, as the D-Bus specification writes them.</summary>
    public string Signature { get; init; } = "";

    public IReadOnlyList<object> Arguments { get; init; } = [];

    /// <summary>Start the service when it does not run. Without it, one that is off is absent, as its owner wants it to be.</summary>
    public bool AutoStart { get; init; }

    public override string ToString() => $"{Interface}.{Member} of {Service}";
}

/// <summary>A message that nobody asked for. It is a hint to look again, and never trusted for what it says.</summary>
internal sealed record Signal(string Path, string Interface, string Member, IReadOnlyList<object?> Arguments);

/// <summary>Which signals to hear (D-Bus specification, "Match Rules").</summary>
internal sealed record MatchRule
{
    public required string Sender { get; init; }

    public required string Interface { get; init; }

    public string? Member { get; init; }

    public string? Path { get; init; }

    /// <summary>The object itself or one below it.</summary>
    public string? PathNamespace { get; init; }

    /// <summary>The first argument, a text.</summary>
    public string? Arg0 { get; init; }

    public bool Matches(Signal signal) =>
        Interface == signal.Interface
        && (Member is null || Member == signal.Member)
        && (Path is null || Path == signal.Path)
        && (PathNamespace is null || signal.Path == PathNamespace || signal.Path.StartsWith(PathNamespace + "/", StringComparison.Ordinal))
        && (Arg0 is null || signal.Arguments is [string first, ..] && first == Arg0);

    public override string ToString() => string.Join(',', new[]
    {
        "type='signal'", $"sender='{Sender}'", $"interface='{Interface}'", Key("member", Member), Key("path", Path), Key("path_namespace", PathNamespace), Key("arg0", Arg0),
    }.OfType<string>());

    private static string? Key(string key, string? value) => value is null ? null : $"{key}='{value}'";
}

/// <summary>A call came to nothing. The message says why, for people.</summary>
internal sealed class BusException(string message, string? errorName = null) : Exception(message)
{
    public const string NoBus = "provisioner.NoBus";
    public const string TimedOut = "org.freedesktop.DBus.Error.NoReply";

    /// <summary>The error's name on the bus.</summary>
    public string? ErrorName { get; } = errorName;

    /// <summary>The service does not run here, or is not installed.</summary>
    public bool IsAbsence => ErrorName is "org.freedesktop.DBus.Error.ServiceUnknown" or "org.freedesktop.DBus.Error.NameHasNoOwner"
        or "org.freedesktop.systemd1.NoSuchUnit" or "org.freedesktop.systemd1.UnitMasked" or "org.freedesktop.DBus.Error.Spawn.ServiceNotFound";

    public bool IsRefusal => ErrorName is "org.freedesktop.DBus.Error.AccessDenied" or "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
        or "org.freedesktop.DBus.Error.AuthFailed";
}

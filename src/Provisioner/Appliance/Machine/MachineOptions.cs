using System.Collections.Immutable;
using Provisioner.Resources;

namespace Provisioner.Appliance.Machine;

/// <summary>The configuration key <c>machine</c>: what this machine is set to. What is not said is left as it is.</summary>
public sealed record MachineOptions
{
    /// <summary>Its name (systemd-hostnamed).</summary>
    public string? HostName { get; init; }

    /// <summary>Its time zone (systemd-timedated).</summary>
    public string? TimeZone { get; init; }

    /// <summary>Whom it asks for the time (systemd-timesyncd), before those of the network.</summary>
    public ImmutableArray<string> TimeServers { get; init; } = [];

    /// <summary>Make it known on the network by multicast DNS (systemd-resolved).</summary>
    public bool Announce { get; init; } = true;
}

/// <summary>The keys of the configuration's <c>machine</c>.</summary>
internal static class MachineFields
{
    public static ScalarKind<string> TimeZone { get; } = Values.OfText("a time zone", "a name of the tz database such as Europe/Zurich, or UTC", Zone);

    public static Shape<MachineOptions> Machine { get; } = Declare();

    private static Shape<MachineOptions> Declare()
    {
        var shape = new Shape<MachineOptions>("machine", () => new MachineOptions());
        shape.Optional("hostName", Values.Name, m => m.HostName, (m, v) => m with { HostName = v }, "This machine's name.");
        shape.Optional("timeZone", TimeZone, m => m.TimeZone, (m, v) => m with { TimeZone = v }, "This machine's time zone.");
        shape.Optional("timeServers", new ListKind<string>(Values.HostAddress), m => m.TimeServers, (m, v) => m with { TimeServers = v }, "NTP servers, before those of the network.");
        shape.Default("announce", Values.Boolean, m => m.Announce, (m, v) => m with { Announce = v }, "Make the console known by multicast DNS.");
        return shape;
    }

    private static string? Zone(string text) =>
        text.Length is 0 or > 64 || !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-' or '+') || text[0] == '/' ? "is not the name of a time zone" : null;
}

using Provisioner.Appliance;

namespace Provisioner.Cli;

/// <summary>Where the service's socket is: one rule for the service and for those who look for it.</summary>
internal static class SocketPath
{
    public const string Variable = "PROVISIONER_SOCKET";

    /// <summary>What was said: <c>--socket</c>, then the environment; null when nothing was.</summary>
    public static string? Said(string? option) =>
        option ?? (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } variable ? variable : null);

    /// <summary>What was said, then the socket in the data directory of this user, then the one of the system's service.</summary>
    public static string Find(string? option)
    {
        if (Said(option) is { } said)
            return Path.GetFullPath(said);
        var own = ApplianceOptions.SocketIn(Privileges.DefaultDataDirectory);
        var system = ApplianceOptions.SocketIn(Privileges.SystemDataDirectory);
        return !File.Exists(own) && File.Exists(system) ? system : own;
    }
}

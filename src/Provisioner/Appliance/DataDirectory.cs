namespace Provisioner.Appliance;

/// <summary>The directory everything is kept in.</summary>
internal static class DataDirectory
{
    private const UnixFileMode Mode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    /// <summary>Makes it when it is missing, readable by the service's user and group alone, and checks that it can be used.</summary>
    /// <exception cref="StartRefusedException">It cannot; says what to do.</exception>
    public static void Prepare(ApplianceOptions options)
    {
        var directory = Path.GetFullPath(options.DataDirectory);
        try
        {
            if (!Directory.Exists(directory))
                Directory.CreateDirectory(directory, Mode);
            var probe = Path.Combine(directory, $".write-test-{Environment.ProcessId}");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException($"The data directory '{directory}' cannot be written: {exception.Message} Name another with --data DIR, or run as a user who may write it.", exception);
        }
        if (ApplianceConfiguration.SocketProblem(options.SocketPath) is { } problem)
            throw new StartRefusedException($"The API's socket '{options.SocketPath}' {problem}. Set 'socket' in the configuration to a shorter path, such as /run/provisioner.sock.");
    }
}

using System.Runtime.CompilerServices;

namespace Provisioner.Tests;

/// <summary>
/// Compares text with a <c>NAME.verified.txt</c> beside the test. Where it differs the new text is left as <c>NAME.received.txt</c>,
/// to be read and, when it is right, renamed.
/// </summary>
internal static class Golden
{
    public static void Match(string actual, string name, [CallerFilePath] string testFile = "")
    {
        var directory = Path.Combine(Path.GetDirectoryName(testFile)!, Path.GetFileNameWithoutExtension(testFile));
        var verified = Path.Combine(directory, $"{name}.verified.txt");
        var received = Path.Combine(directory, $"{name}.received.txt");
        if (File.Exists(verified) && File.ReadAllText(verified) == actual)
        {
            File.Delete(received);
            return;
        }
        Directory.CreateDirectory(directory);
        File.WriteAllText(received, actual);
        Assert.Fail($"differs from {verified}; it is now:\n{actual}");
    }
}

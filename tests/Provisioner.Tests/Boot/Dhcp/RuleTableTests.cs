using System.Runtime.CompilerServices;
using Provisioner.Networks;

namespace Provisioner.Tests.Boot.Dhcp;

/// <summary>
/// Every row of the rule table: <c>RuleTable/NAME.hex</c> is what a client sent (lines with <c>#</c> say who it is, <c>key: value</c> how it
/// reached us), <c>RuleTable/NAME.verified.txt</c> is the answer, field by field.
/// </summary>
public sealed class RuleTableTests
{
    public static TheoryData<string> Rows
    {
        get
        {
            var rows = new TheoryData<string>();
            foreach (var file in Directory.EnumerateFiles(Folder(), "*.hex").Order(StringComparer.Ordinal))
                rows.Add(Path.GetFileNameWithoutExtension(file));
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Answers_as_verified(string row)
    {
        var settings = new Dictionary<string, string> { ["mode"] = "proxy", ["port"] = "67", ["from"] = "0.0.0.0", ["interface"] = "br0" };
        var hex = "";
        foreach (var line in File.ReadLines(Path.Combine(Folder(), $"{row}.hex")))
        {
            if (line.StartsWith('#') || line.Length == 0)
                continue;
            if (line.Split(": ") is [var key, var value])
                settings[key] = value;
            else
                hex += line.Replace(" ", "", StringComparison.Ordinal);
        }
        var site = new Site(Enum.Parse<DhcpMode>(settings["mode"], ignoreCase: true), spec => spec with { AllowUnknown = true });

        var response = site.Ask(Convert.FromHexString(hex), settings["from"], settings["port"] == "4011", settings["interface"]);

        Golden(DhcpText.Describe(response, site.Buffer), row);
    }

    private static void Golden(string actual, string row)
    {
        var verified = Path.Combine(Folder(), $"{row}.verified.txt");
        var received = Path.Combine(Folder(), $"{row}.received.txt");
        if (File.Exists(verified) && File.ReadAllText(verified) == actual)
        {
            File.Delete(received);
            return;
        }
        File.WriteAllText(received, actual);
        Assert.Fail($"differs from {verified}; it is now:\n{actual}");
    }

    private static string Folder([CallerFilePath] string thisFile = "") => Path.Combine(Path.GetDirectoryName(thisFile)!, "RuleTable");
}

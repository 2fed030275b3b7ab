using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;
using Provisioner.Certificates.Keys;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Certificates.Keys;

/// <summary>
/// SoftHSM with tokens of its own. It reads its configuration when it is initialised in this process, from the C environment, which
/// .NET copies at start and does not write back: setenv(3) it is.
/// </summary>
public sealed partial class SoftHsm : IDisposable
{
    public const string Library = "/usr/lib/softhsm/libsofthsm2.so";
    public const string Pin = "246810";
    public const string OfficerPin = "13579111";

    private const string Variable = "SOFTHSM2_CONF";

    private readonly TemporaryDirectory directory = new();

    public SoftHsm()
    {
        Directory.CreateDirectory(Tokens);
        File.WriteAllText(directory["softhsm2.conf"], $"directories.tokendir = {Tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n");
        _ = SetEnv(Variable, directory["softhsm2.conf"], 1);
    }

    private string Tokens => directory["tokens"];

    /// <summary>A new token with that label.</summary>
    /// <returns>The directory it lives in.</returns>
    public string Initialise(string label)
    {
        var before = Directory.GetDirectories(Tokens);
        RunTool("/usr/bin/softhsm2-util", "--init-token", "--free", "--label", label, "--pin", Pin, "--so-pin", OfficerPin);
        return Assert.Single(Directory.GetDirectories(Tokens).Except(before, StringComparer.Ordinal));
    }

    public string SerialOf(string label) =>
        Regex.Match(RunTool("/usr/bin/softhsm2-util", "--show-slots"), $@"Serial number:\s+(\w+)\s+Initialized:\s+yes\s+User PIN init\.:\s+yes\s+Label:\s+{label}\b", RegexOptions.None, TimeSpan.FromSeconds(1)).Groups[1].Value;

    /// <summary>OpenSC's tool, another program at the same token.</summary>
    public string Pkcs11Tool(string label, params string[] arguments) =>
        RunTool("/usr/bin/pkcs11-tool", ["--module", Library, "--token-label", label, "--login", "--pin", Pin, .. arguments]);

    /// <summary>What a store must be told to use that token.</summary>
    public static Pkcs11Options Options(string label) => new(Library) { Token = label };

    internal static Pkcs11KeyStore Open(string label, string pin = Pin) => Open(Options(label), pin);

    internal static Pkcs11KeyStore Open(Pkcs11Options options, string pin = Pin)
    {
        using var place = new TemporaryDirectory();
        File.WriteAllText(place["pin"], pin);
        File.SetUnixFileMode(place["pin"], UnixFileMode.UserRead);
        return new Pkcs11KeyStore(options, Secret.Read(place["pin"], "The PIN", ""));
    }

    /// <summary>What a token that restarts does to this process: every session of it is gone.</summary>
    internal static void CloseAllSessions(string label) => Slot(label).CloseAllSessions();

    internal static void ChangePin(string label, string from, string to)
    {
        var session = Slot(label).OpenSession(SessionType.ReadWrite);
        session.SetPin(from, to);
        session.CloseSession();
    }

    /// <summary>Whether the token refuses to show that attribute of a private key.</summary>
    internal static bool Hides(string label, string id, CKA attribute)
    {
        var session = Slot(label).OpenSession(SessionType.ReadOnly);
        var make = session.Factories.ObjectAttributeFactory;
        var key = session.FindAllObjects([make.Create(CKA.CKA_CLASS, CKO.CKO_PRIVATE_KEY), make.Create(CKA.CKA_LABEL, id)]).Single();
        var hidden = session.GetAttributeValue(key, new List<CKA> { attribute })[0].CannotBeRead;
        session.CloseSession();
        return hidden;
    }

    /// <summary>The token as this process sees it. The library is not disposed: that would end it for the store as well.</summary>
    private static ISlot Slot(string label)
    {
        var factories = new Pkcs11InteropFactories();
        var library = factories.Pkcs11LibraryFactory.LoadPkcs11Library(factories, Library, AppType.MultiThreaded);
        return library.GetSlotList(SlotsType.WithTokenPresent).Single(slot => slot.GetTokenInfo().Label.Trim() == label);
    }

    public void Dispose() => directory.Dispose();

    private string RunTool(string program, params string[] arguments)
    {
        var (code, output) = TryTool(program, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    private (int Code, string Output) TryTool(string program, params string[] arguments) =>
        Tool.Try(program, new Dictionary<string, string> { [Variable] = directory["softhsm2.conf"] }, arguments);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);
}

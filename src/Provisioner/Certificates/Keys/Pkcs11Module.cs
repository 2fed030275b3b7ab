using System.Reflection;
using System.Runtime.InteropServices;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Provisioner.Certificates.Keys;

/// <summary>
/// A token's PKCS#11 library, loaded and initialised once in this process however many stores use it: C_Finalize of one would end it
/// for all (PKCS#11 2.40 base specification section 5.4).
/// </summary>
internal sealed class Pkcs11Module : IDisposable
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, Pkcs11Module> Loaded = [];

    private readonly string path;
    private IPkcs11Library? library;
    private int users;

    /// <summary>
    /// Pkcs11Interop takes dlopen from "libdl", a name without a file on Debian 12: glibc 2.34 moved its content to libc and kept
    /// libdl.so.2 alone.
    /// </summary>
    static Pkcs11Module() => NativeLibrary.SetDllImportResolver(typeof(IPkcs11Library).Assembly, FindLibdl);

    private Pkcs11Module(string path, IPkcs11Library library)
    {
        this.path = path;
        this.library = library;
    }

    public IPkcs11Library Library
    {
        get
        {
            lock (Gate)
                return library ??= Start(path);
        }
    }

    /// <exception cref="KeyStoreException">There is no such library, or it does not start.</exception>
    public static Pkcs11Module Load(string path)
    {
        if (!File.Exists(path))
            throw new KeyStoreException($"The PKCS#11 library '{path}' is missing. Install the token's software, or correct 'ca.pkcs11.library' in the configuration (SoftHSM's is /usr/lib/softhsm/libsofthsm2.so).");
        // Two names of one file are one library in this process.
        var real = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path);
        lock (Gate)
        {
            if (!Loaded.TryGetValue(real, out var module))
                Loaded.Add(real, module = new Pkcs11Module(real, Start(path)));
            module.users++;
            return module;
        }
    }

    /// <summary>
    /// Ends the library and begins anew, unless another store uses it: some see a token that came back, or a slot that was added, only
    /// then (SoftHSM 2.6 is one). Every session ends with it.
    /// </summary>
    public void Restart()
    {
        lock (Gate)
        {
            if (users > 1)
                return;
            library?.Dispose();
            library = null; // Until it starts: when it does not now, it may the next time.
            library = Start(path);
        }
    }

    public void Dispose()
    {
        lock (Gate)
        {
            if (--users > 0)
                return;
            Loaded.Remove(path);
            library?.Dispose();
        }
    }

    /// <exception cref="KeyStoreException">It does not start.</exception>
    private static IPkcs11Library Start(string path)
    {
        try
        {
            var factories = new Pkcs11InteropFactories();
            return factories.Pkcs11LibraryFactory.LoadPkcs11Library(factories, path, AppType.MultiThreaded);
        }
        catch (Pkcs11Exception exception)
        {
            throw new KeyStoreException($"The PKCS#11 library '{path}' does not start ({exception.RV}): its own configuration, which the token's manual names, is the place to look.", exception);
        }
        catch (Exception exception) when (exception is UnmanagedException or LibraryArchitectureException)
        {
            throw new KeyStoreException($"'{path}' is not a PKCS#11 library for this machine: {exception.Message}", exception);
        }
    }

    private static nint FindLibdl(string name, Assembly assembly, DllImportSearchPath? search) =>
        name == "libdl" && NativeLibrary.TryLoad("libdl.so.2", out var libdl) ? libdl : 0;
}

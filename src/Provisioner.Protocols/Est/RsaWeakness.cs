using System.Numerics;

namespace Provisioner.Protocols.Est;

/// <summary>Moduli whose factors can be found from the modulus alone, because of how they were made.</summary>
internal static class RsaWeakness
{
    private const int FermatRounds = 100;

    /// <summary>No factor of a key that was made with any care is below; SP 800-89 §5.3.3 asks for 752.</summary>
    private const int SmallPrimeLimit = 10_000;

    /// <summary>The fingerprint takes primes up to here: their product divides the modulus's secret structure for every affected length.</summary>
    private const int FingerprintLimit = 167;

    private static readonly int[] SmallPrimes = Sieve(SmallPrimeLimit);

    /// <summary>Why the modulus is weak, or null.</summary>
    /// <param name="modulus">Of a length that has been checked.</param>
    public static string? Find(BigInteger modulus)
    {
        if (modulus.IsEven)
            return "the RSA modulus is even: make another key";
        foreach (var prime in SmallPrimes)
        {
            if (modulus % prime == 0)
                return $"the RSA modulus has the factor {prime}: make another key";
        }
        if (HasInfineonFingerprint(modulus))
            return "the RSA modulus was made by a library whose keys can be factored (ROCA, CVE-2017-15361): make the key elsewhere";
        return HasCloseFactors(modulus)
            ? "the RSA modulus has two factors close to each other, which makes them easy to find (CVE-2022-26320): make the key elsewhere"
            : null;
    }

    /// <summary>
    /// The primes of that library are k·M + (65537^a mod M), with M the product of many small primes, so that the modulus is a power
    /// of 65537 to each of them (Nemec, Sys, Svenda, Klinec, Matyas: "The Return of Coppersmith's Attack", §2). Of other
    /// moduli about one in 240 million is.
    /// </summary>
    internal static bool HasInfineonFingerprint(BigInteger modulus)
    {
        foreach (var prime in SmallPrimes)
        {
            if (prime > FingerprintLimit)
                break;
            var remainder = (int)(modulus % prime);
            var generator = 65537 % prime;
            var power = 1;
            do
            {
                power = power * generator % prime;
            }
            while (power != remainder && power != 1);
            if (power != remainder)
                return false;
        }
        return true;
    }

    /// <summary>Fermat's method: n = a² − b² with a a little above the root of n, which is found at once when the factors are close.</summary>
    internal static bool HasCloseFactors(BigInteger modulus)
    {
        var a = Root(modulus);
        if (a * a < modulus)
            a++;
        var square = a * a - modulus;
        for (var round = 0; round < FermatRounds; round++)
        {
            if (IsSquare(square))
                return true;
            square += 2 * a + 1;
            a++;
        }
        return false;
    }

    private static bool IsSquare(BigInteger number)
    {
        // A square is 0, 1, 4 or 9 to 16; three of four other numbers end here without the root being taken.
        if (((int)(number & 15)) is not (0 or 1 or 4 or 9))
            return false;
        var root = Root(number);
        return root * root == number;
    }

    /// <summary>The largest integer whose square is not above the number: Newton's method from above.</summary>
    private static BigInteger Root(BigInteger number)
    {
        if (number.IsZero)
            return number;
        var root = BigInteger.One << (int)((number.GetBitLength() + 1) / 2);
        while (true)
        {
            var next = (root + number / root) >> 1;
            if (next >= root)
                return root;
            root = next;
        }
    }

    /// <summary>The odd primes below a limit.</summary>
    private static int[] Sieve(int limit)
    {
        var composite = new bool[limit];
        var primes = new List<int>();
        for (var number = 3; number < limit; number += 2)
        {
            if (composite[number])
                continue;
            primes.Add(number);
            for (var multiple = number * number; multiple < limit; multiple += 2 * number)
                composite[multiple] = true;
        }
        return [.. primes];
    }
}

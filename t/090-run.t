#!/usr/bin/perl
# `make run` and `make stop` (tools/run.sh): the printed commands work unchanged, a server left running can be stopped, and a
# second run in the same directory keeps its data and, unless it is lost, its token.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

plan skip_all => 'run.sh starts nginx without the sanitizer\'s runtime' if $ENV{TEST_NGINX_PRELOAD};

my $repo = "$FindBin::Bin/..";
my $t = Scim->new;    # for its directory, its free port and run(); its own nginx is not started
my $dir = "$t->{dir}/run";
my $owner = $$;
$t->{store} = "$dir/store";
%ENV = (%ENV, DIR => $dir, PORT => $t->port, MODULE => $ENV{TEST_NGINX_MODULE} // '', SCIMCTL => $ENV{TEST_SCIMCTL} // '',
    NGINX_BINARY => $ENV{TEST_NGINX_BINARY} // '');
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};    # of the make that runs this test

sub run_sh { return $t->run('', "$repo/tools/run.sh", @_) }
sub master { return Scim::_slurp("$dir/nginx.pid") =~ /^(\d+)/ ? $1 : 0 }

# Stops a server that a failed test has left running.
END {
    if ($owner && $$ == $owner && master()) {
        my $status = $?;
        run_sh('stop');
        $? = $status;
    }
}

# Starts a server and leaves it running; returns the parts of the output.
sub started {
    my ($name) = @_;
    local $ENV{DAEMON} = 1;
    my ($exit, $out, $err) = run_sh('start');
    is $exit, 0, "$name: run.sh start exits with 0" or diag $out, $err;
    my ($base, $token) = $out =~ m{\nSCIM_BASE_URL=(http://\S+)\nSCIM_TOKEN=(\S+)\n\z};
    is $base, "http://127.0.0.1:$ENV{PORT}/scim/v2",
        "$name: the last two lines of the output are the base URL and the token";
    return { base => $base, token => $token // '', curl => [$out =~ /^(curl .*(?:(?<=\\)\n.*)*)/mg], out => $out };
}

# The JSON that a printed command outputs when a shell runs it.
sub shell {
    my ($line) = @_;
    my ($exit, $out, $err) = $t->run('', '/bin/sh', '-c', $line);
    return eval { $Scim::json->decode($out) } // { exit => $exit, out => $out, err => $err };
}

sub users { return $t->request(GET => '/scim/v2/Users', token => $_[0]{token}) }

sub stopped {
    my ($name, @command) = @_;
    my $pid = master();
    my ($exit, $out, $err) = @command ? $t->run('', @command) : run_sh('stop');
    is "$exit $err", "0 Stopped.\n", "$name: stop exits with 0 and prints \"Stopped.\"" or diag $out;
    ok $t->_gone($pid), "$name: nginx has ended";
    unlike Scim::_slurp("$dir/error.log"), qr/\[(?:alert|crit|emerg)\]/, "$name: the error log has no alert, crit or emerg";
    return;
}

my $first = started('first run');
is scalar @{ $first->{curl} }, 2, 'run.sh start prints two curl commands' or diag $first->{out};
is shell($first->{curl}[0])->{userName}, 'ada@example.com', 'the first curl command creates a user';
is shell($first->{curl}[1])->{totalResults}, 1, 'the second curl command lists the user';
is users($first)->{json}{totalResults}, 1, 'the printed token is accepted';

my ($exit, $out, $err) = run_sh('start');
is "$exit $out", '1 ', 'a second start in the same directory exits with 1';
like $err, qr/runs in \Q$dir\E already \(process \d+\); make stop DIR=\Q$dir\E stops it/,
    'a second start in the same directory names the process and the command that ends it';
is users($first)->{status}, 200, 'the first server is served after the refused second start';
stopped('first run');

my $again = started('second run');
is $again->{token}, $first->{token}, 'the second run prints the same token';
is users($again)->{json}{totalResults}, 1, 'the second run has the user of the first one';
stopped('second run');

unlink "$dir/token" or die "$dir/token: $!";
my $lost = started('token lost');
isnt $lost->{token}, $first->{token}, 'a run without the token file prints another token';
is users($lost)->{json}{totalResults}, 1, 'the new token has the user of the first run';
is users($first)->{status}, 401, 'the lost token is refused with 401';
stopped('token lost');

is +($t->scimctl(qw(token revoke --tenant demo quickstart)))[0], 0, 'scimctl token revoke exits with 0';
my $revoked = started('token revoked');
is users($revoked)->{json}{totalResults}, 1, 'a run with a revoked token prints a new token, which is accepted';
stopped('token revoked', 'make', '-s', '-C', $repo, 'stop', "DIR=$dir");

($exit, $out, $err) = run_sh('stop');
is "$exit $err", "0 No nginx of $dir is running.\n", 'stop without a server says that none is running';

$SIG{INT} = 'DEFAULT';    # bash cannot trap a signal that was ignored when it started, as it is in a background job
my $pid = open my $shown, '-|', "exec $repo/tools/run.sh start 2>&1" or die "run.sh: $!";
while (defined(my $line = <$shown>)) {
    next if $line !~ /^Ctrl-C/;
    is users($revoked)->{status}, 200, 'run.sh in the foreground serves requests';
    kill INT => $pid;
}
close $shown;
is $?, 0, 'run.sh in the foreground exits with 0 after SIGINT';
ok !master(), 'SIGINT ends nginx';

done_testing;

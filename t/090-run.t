#!/usr/bin/perl
# `make run` and `make stop` (tools/run.sh): what is printed works as it stands, a server that is left running can be ended,
# and a second run on the same directory goes on where the first one stopped, with or without its token.

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

# Whatever fails, no nginx stays.
END {
    if ($owner && $$ == $owner && master()) {
        my $status = $?;
        run_sh('stop');
        $? = $status;
    }
}

# Starts a server and leaves it running; what is printed, in parts.
sub started {
    my ($name) = @_;
    local $ENV{DAEMON} = 1;
    my ($exit, $out, $err) = run_sh('start');
    is $exit, 0, "$name: it starts" or diag $out, $err;
    my ($base, $token) = $out =~ m{\nSCIM_BASE_URL=(http://\S+)\nSCIM_TOKEN=(\S+)\n\z};
    is $base, "http://127.0.0.1:$ENV{PORT}/scim/v2", "$name: the last two lines are for scripts";
    return { base => $base, token => $token // '', curl => [$out =~ /^(curl .*(?:(?<=\\)\n.*)*)/mg], out => $out };
}

# What a printed line answers in a shell.
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
    is "$exit $err", "0 Stopped.\n", "$name: it ends" or diag $out;
    ok $t->_gone($pid), "$name: nothing of it is left";
    unlike Scim::_slurp("$dir/error.log"), qr/\[(?:alert|crit|emerg)\]/, "$name: without complaints";
    return;
}

my $first = started('new');
is scalar @{ $first->{curl} }, 2, 'two curl lines' or diag $first->{out};
is shell($first->{curl}[0])->{userName}, 'ada@example.com', 'the first makes a user';
is shell($first->{curl}[1])->{totalResults}, 1, 'the second lists it';
is users($first)->{json}{totalResults}, 1, 'a script can use what it parsed';

my ($exit, $out, $err) = run_sh('start');
is "$exit $out", '1 ', 'a second one on the directory is refused';
like $err, qr/runs in \Q$dir\E already \(process \d+\); make stop DIR=\Q$dir\E ends it/, 'and says what to do';
is users($first)->{status}, 200, 'the first one stays';
stopped('new');

my $again = started('again');
is $again->{token}, $first->{token}, 'the token is still good';
is users($again)->{json}{totalResults}, 1, 'the directory is as it was';
stopped('again');

unlink "$dir/token" or die "$dir/token: $!";
my $lost = started('token lost');
isnt $lost->{token}, $first->{token}, 'another token is made';
is users($lost)->{json}{totalResults}, 1, 'with which the directory is as it was';
is users($first)->{status}, 401, 'the lost one is no good to who finds it';
stopped('token lost');

is +($t->scimctl(qw(token revoke --tenant demo quickstart)))[0], 0, 'a revoked token';
my $revoked = started('token revoked');
is users($revoked)->{json}{totalResults}, 1, 'is replaced, too';
stopped('token revoked', 'make', '-s', '-C', $repo, 'stop', "DIR=$dir");

($exit, $out, $err) = run_sh('stop');
is "$exit $err", "0 No nginx of $dir is running.\n", 'a second stop says that there is nothing';

my $pid = open my $shown, '-|', "exec $repo/tools/run.sh start 2>&1" or die "run.sh: $!";
while (defined(my $line = <$shown>)) {
    next if $line !~ /^Ctrl-C/;
    is users($revoked)->{status}, 200, 'in the foreground it serves';
    kill INT => $pid;
}
close $shown;
is $?, 0, 'until Ctrl-C';
ok !master(), 'which ends nginx';

done_testing;
